// A few items shown across all arms, so that a reader sees what the rates are made of.
import type { TrialRecord } from '../run/trial-record.ts';

/** Enough to see the pattern, few enough to read. */
const ITEMS = 4;

export interface ExampleGroup {
  readonly prompt: string;
  readonly style: string;
  readonly answers: readonly TrialRecord[];
}

/** Harmful items; those on which the arms disagree come first, as they show what an arm changes. */
export function exampleGroups(records: readonly TrialRecord[]): ExampleGroup[] {
  const groups = new Map<string, TrialRecord[]>();
  for (const record of records) {
    if (record.kind !== 'harmful' || (record.repeat ?? 0) > 0) continue;
    const key = JSON.stringify([record.benchmark, record.itemId, record.style]);
    const group = groups.get(key);
    if (group) group.push(record);
    else groups.set(key, [record]);
  }
  const outcomes = (group: readonly TrialRecord[]): number =>
    new Set(group.map(({ outcome }) => outcome)).size;
  return [...groups.values()]
    .sort((a, b) => outcomes(b) - outcomes(a))
    .slice(0, ITEMS)
    .map((answers) => ({ prompt: answers[0]!.prompt, style: answers[0]!.style, answers }));
}
