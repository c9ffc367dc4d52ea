// Safety against usefulness: which arms no other arm beats on everything.
import type { RowName } from './group-records.ts';
import type { SummaryRow } from './summarise.ts';

export interface FrontierPoint extends RowName {
  readonly asr: number;
  readonly overRefusal: number;
  /** Null where no right answers are known. */
  readonly accuracy: number | null;
  /** No other arm under the same edit and style is at least as good on all of these and better on one. */
  readonly best: boolean;
}

/** Rows that have both sides; empty without them. */
export function frontier(rows: readonly SummaryRow[]): FrontierPoint[] {
  const points = rows.flatMap(({ edit, style, arm, asr, overRefusal, accuracy }) =>
    asr === undefined || overRefusal === undefined
      ? []
      : [
          {
            edit,
            style,
            arm,
            asr: asr.value,
            overRefusal: overRefusal.value,
            accuracy: accuracy?.value ?? null,
          },
        ],
  );
  return points.map((point) => ({
    ...point,
    best: !points.some(
      (other) => other.edit === point.edit && other.style === point.style && beats(other, point),
    ),
  }));
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
