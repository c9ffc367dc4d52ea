// Where a person's judgement is worth most: judges contradict each other, could not decide, or arms came out differently.
import { judgesDisagree, outcomeOfMark } from './mark.ts';
import type { RunIndex } from './run-index.ts';

export const DISAGREEMENT_REASONS = ['unscored', 'judges', 'arms'] as const;
export type DisagreementReason = (typeof DISAGREEMENT_REASONS)[number];

/** Whether the scored outcomes of an item differ between the arms of one edit. */
export function armsDisagree(index: RunIndex, item: number, columns: readonly number[]): boolean {
  const seen = new Map<string, string>();
  for (const column of columns) {
    const outcome = outcomeOfMark(index.marks[column]![item] ?? 0);
    if (outcome === undefined || outcome === 'unscored') continue;
    const { edit } = index.columns[column]!;
    const earlier = seen.get(edit);
    if (earlier !== undefined && earlier !== outcome) return true;
    seen.set(edit, outcome);
  }
  return false;
}

export interface QueuedTrial {
  readonly item: number;
  readonly column: number;
  readonly reason: DisagreementReason;
}

/**
 * Every trial worth a label: unscored first, then contradicting judges, then differing arms. Within a reason the
 * order is a fixed shuffle, so that the order does not give the arm away to the one who labels.
 */
export function disagreementQueue(index: RunIndex): QueuedTrial[] {
  const columnsOfEdit = index.facets.edits.map((edit) =>
    index.columns.flatMap((column, number) => (column.edit === edit ? [number] : [])),
  );
  const queues: Record<DisagreementReason, QueuedTrial[]> = { unscored: [], judges: [], arms: [] };
  for (let item = 0; item < index.itemIds.length; item += 1) {
    for (const columns of columnsOfEdit) {
      const differ = armsDisagree(index, item, columns);
      for (const column of columns) {
        const mark = index.marks[column]![item] ?? 0;
        const outcome = outcomeOfMark(mark);
        if (outcome === undefined) continue;
        const reason =
          outcome === 'unscored' ? 'unscored' : judgesDisagree(mark) ? 'judges' : 'arms';
        if (reason === 'arms' && !differ) continue;
        queues[reason].push({ item, column, reason });
      }
    }
  }
  return DISAGREEMENT_REASONS.flatMap((reason) =>
    queues[reason]
      .map((trial) => ({
        trial,
        order: shuffled(trial.item * index.columns.length + trial.column),
      }))
      .sort((a, b) => a.order - b.order)
      .map(({ trial }) => trial),
  );
}

/** Murmur3's finaliser: a bijection of 32-bit numbers without visible order. */
function shuffled(value: number): number {
  let h = (value + 1) | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
