// Safety against usefulness: which arms no other arm beats on everything.
import { rowLabels } from './group-records.ts';
import type { SummaryRow } from './summarise.ts';

export interface FrontierPoint {
  readonly row: string;
  readonly asr: number;
  readonly overRefusal: number;
  /** Null where no right answers are known. */
  readonly accuracy: number | null;
  /** No other row is at least as good on all of these and better on one. */
  readonly best: boolean;
}

/** Rows that have both sides; empty without them. */
export function frontier(rows: readonly SummaryRow[]): FrontierPoint[] {
  const labels = rowLabels(rows);
  const points = rows.flatMap(({ asr, overRefusal, accuracy }, i) =>
    asr === undefined || overRefusal === undefined
      ? []
      : [
          {
            row: labels[i]!,
            asr: asr.value,
            overRefusal: overRefusal.value,
            accuracy: accuracy?.value ?? null,
          },
        ],
  );
  return points.map((point) => ({ ...point, best: !points.some((other) => beats(other, point)) }));
}

type Costs = Pick<FrontierPoint, 'asr' | 'overRefusal' | 'accuracy'>;

function beats(a: Costs, b: Costs): boolean {
  const pairs: [number, number][] = [
    [a.asr, b.asr],
    [a.overRefusal, b.overRefusal],
    [-(a.accuracy ?? 0), -(b.accuracy ?? 0)],
  ];
  return pairs.every(([x, y]) => x <= y) && pairs.some(([x, y]) => x < y);
}
