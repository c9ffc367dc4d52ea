// Prompts that are read, chosen on or measured on: a split of the bundled model, or a file; as rows of a model.
import { loadPocketSplit, pocketDemonstrations } from '@safeinfer/pocket';
import type { Row, Transformer } from '@safeinfer/transformer';
import { z } from 'zod';
import { promptTokens } from './answer-tokens.ts';
import { readRows } from './read-rows.ts';

export interface PromptItem {
  readonly id: string;
  readonly question: string;
  /** The right answer of a harmless prompt, where it is known. */
  readonly answer?: string;
}

const schema = z.union([
  z.string().min(1),
  z.object({
    id: z.string().optional(),
    question: z.string().min(1),
    answer: z.string().optional(),
  }),
]);

/** What the bundled model has for each use: harmful requests, and harmless ones that sound like them. */
export type PocketUse = 'vector' | 'select' | 'test';

/** @throws what `readRows` throws. Ids default to the row's number. */
export function promptsFrom(options: {
  /** `pocket`, or a path. */
  readonly source: string;
  readonly kind: 'harmful' | 'harmless';
  readonly use: PocketUse;
  readonly style?: 'simple' | 'instruction';
  readonly limit?: number | undefined;
}): PromptItem[] {
  const { source, kind, use, style, limit } = options;
  const items = source === 'pocket' ? pocketPrompts(kind, use, style) : filePrompts(source);
  if (limit === undefined || limit >= items.length) return items;
  // Evenly spaced: files are ordered by category, and a part should show all of them.
  return Array.from({ length: limit }, (_, i) => items[Math.floor((i * items.length) / limit)]!);
}

function filePrompts(path: string): PromptItem[] {
  return readRows({
    path,
    schema,
    form: '"a prompt", or {"question": "...", "answer": "..."}',
  }).map((row, i) => {
    if (typeof row === 'string') return { id: `${i + 1}`, question: row };
    const { id = `${i + 1}`, question, answer } = row;
    return { id, question, ...(answer === undefined ? {} : { answer }) };
  });
}

function pocketPrompts(
  kind: 'harmful' | 'harmless',
  use: PocketUse,
  style: 'simple' | 'instruction' | undefined,
): PromptItem[] {
  const of = (own: string): boolean => style === undefined || own === style;
  const unique = <T extends PromptItem>(items: readonly T[]): PromptItem[] => [
    ...new Map(items.map((item) => [item.question, item])).values(),
  ];
  if (kind === 'harmful') {
    return unique(
      loadPocketSplit('harmful', use)
        .filter((item) => of(item.style))
        .map(({ id, question }) => ({ id, question })),
    );
  }
  if (use === 'vector') {
    return unique(
      pocketDemonstrations('answer')
        .filter((item) => of(item.style))
        .map(({ id, question, answer }) => ({ id, question, answer })),
    );
  }
  return unique(
    loadPocketSplit('borderline', use)
      .filter((item) => of(item.style) && item.unseen === 'pair')
      .map(({ id, question, answer }) => ({ id, question, answer })),
  );
}

/** A prompt as the model was trained to see one. */
export function promptRow(model: Transformer, question: string, system?: string): Row {
  return { tokens: promptTokens(model, { question, system }) };
}
