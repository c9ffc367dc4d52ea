// Where facts are looked up, on published tokenizers; the expected positions come from character offsets of Hugging
// Face's library (tools/parity/make_lookup_fixtures.py).
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { useBackend } from '@safeinfer/backend';
import {
  createRandomModel,
  loadTokenizer,
  randomConfig,
  type Transformer,
} from '@safeinfer/transformer';
import { beforeAll, describe, expect, it } from 'vitest';
import { figure } from '../../test/figures.ts';
import { locatePrompt } from './lookup-index.ts';
import { prepareEdit } from './prepare-edit.ts';

interface Entry {
  readonly template: string;
  readonly prompt: string;
  readonly subject: string;
  readonly target: string;
  readonly ids: readonly number[];
  readonly lookup: number;
  readonly target_ids: readonly number[];
  readonly target_alone_ids: readonly number[];
}

const goldens = JSON.parse(
  readFileSync(new URL('../../fixtures/lookups.json', import.meta.url), 'utf8'),
) as Readonly<Record<string, { readonly file: string; readonly entries: readonly Entry[] }>>;
const shared =
  process.env['SAFEINFER_SHARED'] ?? resolve(import.meta.dirname, '../../../../../shared');

/** A tiny model that reads text as the published tokenizer does. */
async function modelWith(name: string): Promise<Transformer> {
  const file = join(shared, 'models', goldens[name]!.file);
  const directory = mkdtempSync(join(tmpdir(), 'safeinfer-lookup-'));
  try {
    cpSync(file, join(directory, 'tokenizer.json'));
    const config = join(dirname(file), 'tokenizer_config.json');
    if (existsSync(config)) cpSync(config, join(directory, 'tokenizer_config.json'));
    const tokenizer = await loadTokenizer(directory);
    const { bos } = tokenizer.specialIds;
    const adds = bos !== undefined && tokenizer.encode('x')[0] === bos;
    return createRandomModel({
      seed: 1,
      tokenizer,
      config: {
        ...randomConfig({ dModel: 4, nHeads: 1, nLayers: 1, vocabSize: tokenizer.vocabSize }),
        bosTokenId: adds ? bos : null,
      },
    });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

// Visible as skipped where the published tokenizers are not at hand.
describe.runIf(existsSync(join(shared, 'models')))('check 1: token index', () => {
  beforeAll(async () => {
    await useBackend({ name: 'cpu' });
  });

  it.each(Object.keys(goldens))('on %s, of every subject behind every template', async (name) => {
    using model = await modelWith(name);
    const tokenizer = model.tokenizer!;
    const { entries } = goldens[name]!;
    const templates = [...new Set(entries.map(({ template }) => template))];
    let wrong = 0;
    for (const { template, prompt, subject, target, ids, lookup, target_ids } of entries) {
      const prepared = prepareEdit({
        model,
        request: { prompt, subject, targetNew: target },
        factToken: 'subjectLast',
        contextTemplates: templates,
      });
      const row = prepared.contexts[templates.indexOf(template)]!;
      expect(row.tokens).toEqual(ids);
      expect(row.lookup, JSON.stringify(row.text)).toBe(lookup);
      expect(prepared.target).toEqual(target_ids);
      if (row.lookup !== lookup) wrong += 1;
      // The sheet's own wording: decoded, the token ends what the subject ends with.
      const upTo = tokenizer.decode(row.tokens.slice(0, lookup + 1));
      expect(upTo.normalize('NFKC').trimEnd().endsWith(subject.normalize('NFKC'))).toBe(true);
      expect(tokenizer.decode(row.tokens.slice(0, lookup)).endsWith(subject)).toBe(false);
      expect(prepared.subjectFirst).toBe(prompt.startsWith('{}'));
    }
    figure(1, `wrong of ${entries.length}, ${name}`, wrong);
    const firsts = entries.filter((e) => e.template === '{}' && e.prompt.startsWith('{}'));
    expect(firsts.length).toBeGreaterThan(2);
  });

  it.each(['phi-3-mini', 'mistral', 'llama'])(
    'on %s, a target is what continues the prompt: encoded alone it would begin with a lone space',
    async (name) => {
      using model = await modelWith(name);
      const { decode, encode } = model.tokenizer!;
      for (const { target, target_ids, target_alone_ids } of goldens[name]!.entries) {
        // The control: what EasyEdit's Llama targets are made of.
        expect(target_alone_ids).not.toEqual(target_ids);
        expect(encode(` ${target}`, { addSpecialTokens: false })).toEqual(target_alone_ids);
        expect(decode(target_alone_ids.slice(0, 1)).trim()).toBe('');
      }
    },
  );

  const code = (name: string, message: RegExp): unknown =>
    expect.objectContaining({ code: name, message: expect.stringMatching(message) as string });

  it('refuses a subject that the tokenizer merges with the text behind it, with the token table', async () => {
    using model = await modelWith('gpt2');
    const locate = (template: string, subject: string) => () =>
      locatePrompt({ model, template, subject, factToken: 'subjectLast' });
    expect(locate('The capital of {}ce is', 'Fran')).toThrow(
      code('BAD_ARGUMENT', /merges the end of subject "Fran".*3:4881" France"/),
    );
    // A space of the subject is a token of its own: the last token would hold nothing of the subject.
    expect(locate('The capital of {} is', 'France ')).toThrow(
      code('BAD_TOKENIZER', /holds nothing of it: .*4:220" "/),
    );
  });

  it('refuses start tokens in prompt and target, with the token table', async () => {
    using model = await modelWith('mistral');
    const prepare = (change: object) => () =>
      prepareEdit({
        model,
        request: {
          prompt: 'The capital of {} is',
          subject: 'France',
          targetNew: 'Lisbon',
          ...change,
        },
        factToken: 'subjectLast',
        contextTemplates: ['{}'],
      });
    expect(prepare({})().contexts[0]!.tokens[0]).toBe(model.config.bosTokenId);
    expect(prepare({ prompt: 'He said <s>{} is' })).toThrow(
      code('BAD_TOKENIZER', /start token occurs inside.*0:1"<s>"/),
    );
    expect(prepare({ targetNew: '<s>Lisbon' })).toThrow(
      code('BAD_TOKENIZER', /does not survive the tokenizer: .*:1"<s>"/),
    );
    // A space behind a control token becomes a token of its own.
    expect(prepare({ prompt: 'The capital of {} is</s>' })).toThrow(
      code('BAD_TOKENIZER', /merges the end of the prompt with target " Lisbon"/),
    );
  });
});
