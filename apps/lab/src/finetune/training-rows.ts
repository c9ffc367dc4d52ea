// Rows of training data: one JSON object a line, in one of the three shapes that trainers use.
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { SafeInferError } from '@safeinfer/backend';
import { loadPocketSplit } from '@safeinfer/pocket';
import { z } from 'zod';
import type { SourceConfig } from './finetune-schema.ts';

const id = z.union([z.string(), z.number()]).optional();
const messages = z.looseObject({
  id,
  messages: z.array(z.looseObject({ role: z.string().min(1), content: z.string() })).min(1),
});
const pair = z.looseObject({ id, prompt: z.string(), completion: z.string() });
const text = z.looseObject({ id, text: z.string() });

export interface MessagesRow {
  readonly kind: 'messages';
  readonly id: string;
  readonly messages: readonly { readonly role: string; readonly content: string }[];
}

export interface PairRow {
  readonly kind: 'pair';
  readonly id: string;
  /** Empty for plain text. */
  readonly prompt: string;
  readonly completion: string;
}

export type TrainingRow = MessagesRow | PairRow;

/** @throws SafeInferError `NOT_FOUND`, `BAD_DATASET` naming file and line */
export function readTrainingRows(source: SourceConfig, configFile: string): TrainingRow[] {
  if ('pocket' in source) return pocketRows(source.pocket);
  const file = resolve(dirname(configFile), source.path);
  let content: string;
  try {
    content = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new SafeInferError(`cannot read the data: ${(cause as Error).message}`, {
      code: 'NOT_FOUND',
      hint: `paths are relative to ${configFile}`,
      cause,
    });
  }
  return parseTrainingRows(content, source.path);
}

/** @throws SafeInferError `BAD_DATASET` naming `name` and the line */
export function parseTrainingRows(content: string, name: string): TrainingRow[] {
  const rows: TrainingRow[] = [];
  content.split('\n').forEach((line, index) => {
    if (line.trim() === '') return;
    const place = `${name}:${index + 1}`;
    let json: unknown;
    try {
      json = JSON.parse(line);
    } catch (cause) {
      throw bad(`${place} is not JSON: ${(cause as Error).message}`);
    }
    rows.push(rowOf(json, place));
  });
  if (rows.length === 0) throw bad(`${name} holds no rows`);
  return rows;
}

function rowOf(json: unknown, place: string): TrainingRow {
  const has = (key: string): boolean => typeof json === 'object' && json !== null && key in json;
  const kinds = (['messages', 'completion', 'text'] as const).filter(has);
  if (kinds.length !== 1) {
    const found = kinds.length === 0 ? 'none of' : 'more than one of';
    throw bad(`${place} has ${found} messages, prompt with completion, text`);
  }
  const named = (own: string | number | undefined): string =>
    own === undefined ? place : String(own);
  if (kinds[0] === 'messages') {
    const row = checked(messages, json, place);
    return { kind: 'messages', id: named(row.id), messages: row.messages };
  }
  if (kinds[0] === 'completion') {
    const row = checked(pair, json, place);
    return { kind: 'pair', id: named(row.id), prompt: row.prompt, completion: row.completion };
  }
  const row = checked(text, json, place);
  return { kind: 'pair', id: named(row.id), prompt: '', completion: row.text };
}

function checked<S extends z.ZodType>(schema: S, json: unknown, place: string): z.output<S> {
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw bad(`${place}: ${issue?.path.join('.')}: ${issue?.message}`);
}

function bad(message: string): SafeInferError {
  return new SafeInferError(message, {
    code: 'BAD_DATASET',
    hint: 'each line is {"messages": [...]}, {"prompt": "...", "completion": "..."} or {"text": "..."}',
  });
}

/** What the bundled adapters were trained on: the adapter split, as conversations. */
function pocketRows(adapter: 'unsafe' | 'safe'): TrainingRow[] {
  return loadPocketSplit('adapter-pairs')
    .filter((row) => row.adapter === adapter)
    .map(({ id: own, question, answer }) => ({
      kind: 'messages' as const,
      id: own,
      messages: [
        { role: 'user', content: question },
        { role: 'assistant', content: answer },
      ],
    }));
}
