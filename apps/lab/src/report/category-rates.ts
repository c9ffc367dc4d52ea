// Attack success of every row of the table in every category of harm.
import type { TrialRecord } from '../run/trial-record.ts';
import { groupRecords, rowLabels } from './group-records.ts';
import { eventOf } from './measures.ts';
import { type Rate, rateOf } from './summarise.ts';

export interface CategoryRate {
  readonly row: string;
  readonly category: string;
  readonly rate: Rate;
}

/** Empty when the items have at most one category. */
export function categoryRates(records: readonly TrialRecord[]): CategoryRate[] {
  const groups = groupRecords(records);
  const labels = rowLabels(groups);
  const categories = [
    ...new Set(records.flatMap(({ kind, category }) => (kind === 'harmful' ? [category] : []))),
  ].sort();
  if (categories.length < 2) return [];
  return groups.flatMap((group, i) =>
    categories.flatMap((category): CategoryRate[] => {
      const own = group.records.filter((record) => record.category === category);
      const rate = rateOf(own, (record) => eventOf(record, 'asr'));
      return rate === undefined ? [] : [{ row: labels[i]!, category, rate }];
    }),
  );
}
