// Reading files of edits: CounterFact, zsRE, KnowEdit, EasyEdit's and our own layout, told apart by their members.
import { readFile } from 'node:fs/promises';
import { SafeInferError } from '@safeinfer/backend';
import { z } from 'zod';
import { caseLayouts } from './case-layouts.ts';
import type { EditCase } from './edit-case.ts';

export interface ReadCasesOptions {
  /** Default `answers`, as ROME and MEMIT; EasyEdit edits to `alt`. Never compare figures across the two. */
  readonly zsreTarget?: 'answers' | 'alt';
  /** At most so many cases. */
  readonly limit?: number;
}

/** The cases of a JSON file (a list of rows). @throws NOT_FOUND, BAD_DATASET naming row and member */
export async function readCases(path: string, options: ReadCasesOptions = {}): Promise<EditCase[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new SafeInferError(`cannot read ${path}: ${(cause as Error).message}`, {
      code: 'NOT_FOUND',
      hint: 'give a JSON file of edit requests',
      cause,
    });
  }
  let rows: unknown;
  try {
    rows = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (cause) {
    throw new SafeInferError(`${path} is not JSON: ${(cause as Error).message}`, {
      code: 'BAD_DATASET',
      hint: 'full CounterFact and zsRE files in repositories are often Git LFS pointers: fetch the data itself',
      cause,
    });
  }
  return parseCases(rows, { ...options, name: path });
}

/** The cases of a list of rows. Every row has the layout of the first. @throws BAD_DATASET */
export function parseCases(
  rows: unknown,
  options: ReadCasesOptions & { readonly name?: string } = {},
): EditCase[] {
  const { name = 'the data', zsreTarget = 'answers', limit = Number.POSITIVE_INFINITY } = options;
  const refuse = (message: string, hint: string): SafeInferError =>
    new SafeInferError(`${name}: ${message}`, { code: 'BAD_DATASET', hint });
  const layouts = caseLayouts({ zsreTarget });
  const known =
    'a list of rows as CounterFact, zsRE, KnowEdit or EasyEdit has them, or of {prompt, subject, targetNew}';
  if (!Array.isArray(rows) || rows.length === 0) throw refuse('there are no rows', known);
  const first: unknown = rows[0];
  const layout = [...layouts.values()].find(
    ({ mark }) => typeof first === 'object' && first !== null && mark in first,
  );
  if (!layout) throw refuse('row 0 has no layout we know', known);
  return rows.slice(0, limit).map((row: unknown, index) => {
    try {
      return layout.read(row, index);
    } catch (error) {
      if (!(error instanceof z.ZodError)) throw error;
      const [issue] = error.issues;
      throw refuse(
        `row ${index}: ${issue?.path.join('.') || 'the row'}: ${issue?.message}`,
        `rows of this file have a member "${layout.mark}"; correct or drop the row`,
      );
    }
  });
}
