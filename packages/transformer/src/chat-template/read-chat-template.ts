// The chat templates that lie in a model directory.
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { SafeInferError } from '@safeinfer/backend';
import { isJsonObject, type JsonObject, readJsonFile, readTextFile } from '../loading/read-json.ts';

/** Templates by name; the one used unless another is asked for is named `default`. */
export type ChatTemplateSource = ReadonlyMap<string, string>;

/** The largest known template has 17 kB. */
const maxTemplateBytes = 1024 * 1024;

/**
 * Templates of a model directory, in the order of transformers: `chat_template.jinja` with
 * `additional_chat_templates/*.jinja`, then `chat_template` of tokenizer_config.json (a text or a
 * list of `{name, template}`), then `chat_template.json`. `undefined` when there is none.
 */
export async function readChatTemplate(
  directory: string,
  tokenizerConfig: JsonObject = {},
): Promise<ChatTemplateSource | undefined> {
  const limits = { maxBytes: maxTemplateBytes };
  const templates = new Map<string, string>();
  const main = await readTextFile(join(directory, 'chat_template.jinja'), limits);
  if (main !== undefined) templates.set('default', main);
  const folder = join(directory, 'additional_chat_templates');
  for (const file of await readdir(folder).catch(() => [] as string[])) {
    if (!file.endsWith('.jinja')) continue;
    const text = await readTextFile(join(folder, file), limits);
    if (text !== undefined) templates.set(basename(file, '.jinja'), text);
  }
  if (templates.size > 0) return templates;
  const configured = chatTemplatesOf(tokenizerConfig);
  if (configured !== undefined) return configured;
  const processor = await readJsonFile(join(directory, 'chat_template.json'), limits);
  return processor === undefined ? undefined : chatTemplatesOf(processor);
}

/**
 * The `chat_template` entry of a parsed tokenizer_config.json or chat_template.json.
 *
 * @throws SafeInferError `BAD_FILE` for an entry of any other form
 */
export function chatTemplatesOf(config: JsonObject): ChatTemplateSource | undefined {
  const { chat_template: entry } = config;
  if (entry === undefined || entry === null) return undefined;
  if (typeof entry === 'string') return new Map([['default', entry]]);
  const templates = new Map<string, string>();
  const pairs: readonly unknown[] = Array.isArray(entry)
    ? entry
    : isJsonObject(entry)
      ? Object.entries(entry).map(([name, template]) => ({ name, template }))
      : [undefined];
  for (const pair of pairs) {
    const { name, template } = isJsonObject(pair) ? pair : {};
    if (typeof name !== 'string' || typeof template !== 'string') {
      throw new SafeInferError("'chat_template' is neither a text nor a list of named texts", {
        code: 'BAD_FILE',
        hint: 'expected "chat_template": "..." or [{"name": "default", "template": "..."}]',
      });
    }
    templates.set(name, template);
  }
  return templates.size === 0 ? undefined : templates;
}
