// Whether a run directory agrees with its store and with itself.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Store } from '../store/open-store.ts';
import type { TrialRecord } from './trial-record.ts';

/** What is wrong, one line each; empty when nothing is. */
export function verifyRun(directory: string, store: Store): string[] {
  const file = join(directory, 'results.jsonl');
  if (!existsSync(file)) return ['there is no results.jsonl: the run has not finished'];
  const problems: string[] = [];
  const records: TrialRecord[] = [];
  for (const [index, line] of readFileSync(file, 'utf8').trim().split('\n').entries()) {
    try {
      records.push(JSON.parse(line) as TrialRecord);
    } catch {
      problems.push(`results.jsonl:${index + 1}: no JSON`);
    }
  }
  for (const [index, { key, output, failure }] of records.entries()) {
    if (key === undefined || failure !== undefined) continue;
    const answer = store.get(key) as { readonly text: string } | undefined;
    if (answer === undefined)
      problems.push(`results.jsonl:${index + 1}: its answer is not in the store`);
    else if (answer.text !== output)
      problems.push(`results.jsonl:${index + 1}: its answer is not the stored one`);
  }
  return [...problems, ...reportProblems(directory, records)];
}

/** Rows of the report whose counts are not those of the records. */
function reportProblems(directory: string, records: readonly TrialRecord[]): string[] {
  const file = join(directory, 'report.json');
  if (!existsSync(file)) return ['there is no report.json'];
  const report = JSON.parse(readFileSync(file, 'utf8')) as {
    readonly rows?: readonly {
      readonly edit: string;
      readonly style: string;
      readonly arm: string;
      readonly asr?: { readonly count: number; readonly total: number };
    }[];
  };
  return (report.rows ?? []).flatMap(({ edit, style, arm, asr }) => {
    const scored = records.filter(
      (record) =>
        record.edit === edit &&
        record.style === style &&
        record.arm === arm &&
        record.kind === 'harmful' &&
        record.outcome !== 'unscored',
    );
    const complied = scored.filter(({ outcome }) => outcome === 'complied').length;
    if ((asr?.total ?? 0) === scored.length && (asr?.count ?? 0) === complied) return [];
    return [
      `report.json: ${edit} / ${style} / ${arm} says ${asr?.count ?? 0} of ${asr?.total ?? 0}, the records say ${complied} of ${scored.length}`,
    ];
  });
}
