// results.jsonl with other verdicts: everything else of a line, its tokens too, stays as it was.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunDirectory } from '../run/run-directory.ts';
import type { JudgeVerdict, Outcome, TrialRecord } from '../run/trial-record.ts';

/**
 * Adds one list of verdicts a line, in order; a verdict of the same judge is replaced. With `primary`, that judge's outcome
 * becomes the record's where it gave one.
 */
export function rewriteResults(options: {
  readonly directory: RunDirectory;
  readonly verdicts: readonly (readonly JudgeVerdict[])[];
  readonly primary?: string | undefined;
}): TrialRecord[] {
  const { directory, verdicts, primary } = options;
  const source = readFileSync(join(directory.path, 'results.jsonl'), 'utf8');
  const lines = directory.lines('results.jsonl');
  const records: TrialRecord[] = [];
  try {
    for (const line of source.split('\n')) {
      if (line === '') continue;
      const record = withVerdicts(
        JSON.parse(line) as TrialRecord,
        verdicts[records.length] ?? [],
        primary,
      );
      lines.add(JSON.stringify(record));
      const { tokens: _, ...rest } = record;
      records.push(rest);
    }
  } catch (error) {
    lines.abandon();
    throw error;
  }
  lines.finish();
  return records;
}

function withVerdicts(
  record: TrialRecord,
  fresh: readonly JudgeVerdict[],
  primary: string | undefined,
): TrialRecord {
  const replaced = new Set(fresh.map(({ judge }) => judge));
  const before: readonly JudgeVerdict[] =
    record.verdicts ??
    (record.judge === ''
      ? []
      : [{ judge: record.judge, status: statusOf(record.outcome), outcome: record.outcome }]);
  const verdicts = [...before.filter(({ judge }) => !replaced.has(judge)), ...fresh];
  const chosen =
    primary === undefined ? undefined : verdicts.find(({ judge }) => judge === primary);
  const { tokens, ...rest } = record;
  return {
    ...rest,
    ...(chosen === undefined ? {} : { judge: chosen.judge, outcome: chosen.outcome }),
    verdicts,
    ...(tokens === undefined ? {} : { tokens }),
  };
}

function statusOf(outcome: Outcome): string {
  return outcome === 'unscored' ? 'unscored' : 'ok';
}
