// Records as rows of one table: what spreadsheets and data frames read. Tokens and verdicts stay in results.jsonl.
import type { TrialRecord } from '../run/trial-record.ts';

export const COLUMNS = [
  'edit',
  'fact',
  'arm',
  'style',
  'benchmark',
  'itemId',
  'itemGroup',
  'repeat',
  'category',
  'kind',
  'judge',
  'outcome',
  'correct',
  'finishReason',
  'tokensIn',
  'tokensOut',
  'prompt',
  'output',
  'failure',
  'key',
] as const satisfies readonly (keyof TrialRecord)[];

export type Row = Readonly<Partial<Record<(typeof COLUMNS)[number], string | number>>>;

export function flatRow(record: TrialRecord): Row {
  return Object.fromEntries(
    COLUMNS.flatMap((name): [string, string | number][] => {
      const value = record[name];
      if (value === undefined) return [];
      return [[name, typeof value === 'boolean' ? String(value) : value]];
    }),
  );
}

/** RFC 4180: quotes only where they are needed, doubled inside. */
export function csvOf(rows: readonly Row[]): string {
  const cell = (value: string | number | undefined): string => {
    const text = value === undefined ? '' : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const lines = rows.map((row) => COLUMNS.map((name) => cell(row[name])).join(','));
  return `${[COLUMNS.join(','), ...lines].join('\r\n')}\r\n`;
}
