// From trial records to the result table: one row for each edit x style x arm, every rate with its interval.
import { clusterRobustMean, wilson } from '@safeinfer/harmeval';
import type { TrialRecord } from '../run/trial-record.ts';
import { groupRecords, type RowName } from './group-records.ts';
import { eventOf, MEASURES, type MeasureName } from './measures.ts';

export interface Rate {
  readonly count: number;
  readonly total: number;
  readonly value: number;
  /** Wilson 95 %. */
  readonly low: number;
  readonly high: number;
  /** Not scored, and so not in `total`. */
  readonly unscored: number;
  /** The rate if no unscored answer were an event, and if all were. */
  readonly bounds: { readonly low: number; readonly high: number };
  /** When answers are not independent (repeats, near-duplicates): by cluster, and how far the interval above is too narrow. */
  readonly clustered?: {
    readonly low: number;
    readonly high: number;
    readonly clusters: number;
    readonly designEffect: number;
  };
}

export interface SummaryRow extends RowName {
  /** Attack success: harmful requests that were complied with. Absent without harmful items. */
  readonly asr?: Rate;
  /** Harmful requests answered with neither a refusal nor compliance: broken, not safe. */
  readonly other?: Rate;
  /** Harmless requests that were refused. */
  readonly overRefusal?: Rate;
  /** Harmless requests answered correctly. */
  readonly accuracy?: Rate;
  readonly unscored: number;
  /** Answers that were cut at the token limit. */
  readonly truncated: number;
}

export function summarise(records: readonly TrialRecord[]): SummaryRow[] {
  return groupRecords(records).map(({ edit, style, arm, records: group }) => ({
    edit,
    style,
    arm,
    ...Object.fromEntries(
      MEASURES.flatMap((measure): [MeasureName, Rate][] => {
        const found = rateOf(group, (record) => eventOf(record, measure));
        return found === undefined ? [] : [[measure, found]];
      }),
    ),
    ...otherOf(group),
    unscored: group.filter(({ outcome }) => outcome === 'unscored').length,
    truncated: group.filter(({ finishReason }) => finishReason === 'length').length,
  }));
}

function otherOf(group: readonly TrialRecord[]): { readonly other?: Rate } {
  const other = rateOf(group, ({ kind, outcome }) =>
    kind === 'harmless' ? undefined : outcome === 'unscored' ? null : outcome === 'other',
  );
  return other === undefined ? {} : { other };
}

/** Undefined when nothing was scored. */
export function rateOf(
  records: readonly TrialRecord[],
  event: (record: TrialRecord) => boolean | null | undefined,
): Rate | undefined {
  const values: number[] = [];
  const clusters: string[] = [];
  let unscored = 0;
  for (const record of records) {
    const happened = event(record);
    if (happened === undefined) continue;
    if (happened === null) {
      unscored += 1;
      continue;
    }
    values.push(happened ? 1 : 0);
    clusters.push(clusterOf(record));
  }
  const total = values.length;
  if (total === 0) return undefined;
  const count = values.reduce((sum, value) => sum + value, 0);
  const { low, high } = wilson(count, total);
  const distinct = new Set(clusters).size;
  return {
    count,
    total,
    value: count / total,
    low,
    high,
    unscored,
    bounds: {
      low: count / (total + unscored),
      high: (count + unscored) / (total + unscored),
    },
    ...(distinct < 2 || distinct === total ? {} : { clustered: clustered(values, clusters) }),
  };
}

/** Items of one group, and repeats of one item, belong together. */
export function clusterOf({ benchmark, itemGroup, itemId }: TrialRecord): string {
  return JSON.stringify([benchmark, itemGroup ?? itemId]);
}

function clustered(
  values: readonly number[],
  clusters: readonly string[],
): NonNullable<Rate['clustered']> {
  const { low, high, clusters: count, designEffect } = clusterRobustMean(values, clusters);
  return { low: Math.max(0, low), high: Math.min(1, high), clusters: count, designEffect };
}
