// Labels in a CSV of one's own: what a judge said and what a person said, one answer a row.
import { readFileSync } from 'node:fs';
import type { LabelledPair } from '@safeinfer/harmeval';
import { parse } from 'csv-parse/sync';
import { ConfigError } from '../errors/config-error.ts';

const YES: ReadonlySet<string> = new Set(['complied', 'unsafe', 'yes', 'true', '1']);
const NO: ReadonlySet<string> = new Set(['refused', 'other', 'safe', 'no', 'false', '0']);

/** Pairs by the column `judge_name` where there is one. @throws ConfigError with the line of what cannot be read */
export function readLabelTable(file: string): ReadonlyMap<string, readonly LabelledPair[]> {
  const rows = parse<Record<string, string>>(readFileSync(file), {
    bom: true,
    columns: true,
    skip_empty_lines: true,
    trim: true,
  });
  const [first] = rows;
  if (first === undefined || !('judge' in first) || !('human' in first)) {
    throw new ConfigError(file, [
      {
        path: '',
        message: 'the table needs the columns judge and human, and at least one row',
        line: 1,
      },
    ]);
  }
  const byJudge = new Map<string, LabelledPair[]>();
  for (const [index, row] of rows.entries()) {
    const name = row['judge_name'] || 'judge';
    const pairs = byJudge.get(name) ?? [];
    const human = read(row['human'] ?? '');
    if (human === null) throw unreadable(file, index, 'human', row['human'] ?? '');
    const said = row['judge'] ?? '';
    const judge = said === '' || said === 'unscored' ? null : read(said);
    if (judge === null && said !== '' && said !== 'unscored') {
      throw unreadable(file, index, 'judge', said);
    }
    pairs.push({ judge, human });
    byJudge.set(name, pairs);
  }
  return byJudge;
}

function read(text: string): boolean | null {
  const word = text.toLowerCase();
  if (YES.has(word)) return true;
  return NO.has(word) ? false : null;
}

function unreadable(file: string, index: number, column: string, value: string): ConfigError {
  return new ConfigError(file, [
    {
      path: column,
      message: `"${value}" is none of ${[...YES, ...NO].join(', ')}`,
      line: index + 2,
    },
  ]);
}
