// Rows of a JSON list or of JSON lines, checked one by one, so that the row that is wrong can be named.
import { readFileSync } from 'node:fs';
import { SafeInferError } from '@safeinfer/backend';
import { z } from 'zod';

/** @throws NOT_FOUND for a file that cannot be read, BAD_DATASET naming the first bad row. */
export function readRows<T>(options: {
  readonly path: string;
  readonly schema: z.ZodType<T>;
  /** What a row looks like, for the hint. */
  readonly form: string;
}): T[] {
  const { path, schema, form } = options;
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new SafeInferError(`cannot read ${path}: ${(cause as Error).message}`, {
      code: 'NOT_FOUND',
      hint: 'name a JSON list or a file of JSON lines, or "pocket"',
      cause,
    });
  }
  const bad = (place: string, why: string): SafeInferError =>
    new SafeInferError(`${path}, ${place}: ${why}`, { code: 'BAD_DATASET', hint: `rows: ${form}` });
  const parse = (json: string, place: string): unknown => {
    try {
      return JSON.parse(json);
    } catch (cause) {
      throw bad(place, `not JSON (${(cause as Error).message})`);
    }
  };
  const list = text.trimStart().startsWith('[');
  const values = list
    ? (parse(text, 'the list') as unknown[]).map((value, i) => ({ value, place: `row ${i + 1}` }))
    : text
        .split('\n')
        .map((line, i) => ({ line, place: `line ${i + 1}` }))
        .filter(({ line }) => line.trim() !== '')
        .map(({ line, place }) => ({ value: parse(line, place), place }));
  if (values.length === 0) throw bad('the whole file', 'it has no rows');
  return values.map(({ value, place }) => {
    const result = schema.safeParse(value);
    if (result.success) return result.data;
    throw bad(place, z.prettifyError(result.error).split('\n')[0] ?? 'wrong form');
  });
}
