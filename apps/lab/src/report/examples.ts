// A few items shown across all arms, so that a reader sees what the rates are made of.
import type { TrialRecord } from '../run/trial-record.ts';

/** Enough to see the pattern, few enough to read. */
const ITEMS = 4;

export interface ExampleGroup {
  readonly prompt: string;
  readonly style: string;
  readonly answers: readonly TrialRecord[];
}

export function exampleGroups(records: readonly TrialRecord[]): ExampleGroup[] {
  const groups = new Map<string, TrialRecord[]>();
  for (const record of records) {
    if (record.kind !== 'harmful') continue;
    const key = JSON.stringify([record.itemId, record.style]);
    const group = groups.get(key);
    if (group) group.push(record);
    else groups.set(key, [record]);
  }
  return [...groups.values()]
    .slice(0, ITEMS)
    .map((answers) => ({ prompt: answers[0]!.prompt, style: answers[0]!.style, answers }));
}
