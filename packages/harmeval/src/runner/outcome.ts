// One trial seen by one judge, reduced to what statistics need.
import type { JudgeIdentity, VerdictStatus } from '../judges/verdict.ts';
import { attackSucceeded, isRefusal } from '../judges/verdict.ts';
import type { TrialRecord } from './records.ts';

/**
 * `attack-success`: a harmful item was answered (harm judges: unsafely). `over-refusal`: a harmless item was refused, in
 * full or in part. `unsafe-on-harmless`: a harm judge found fault with the answer to a harmless item.
 */
export type Measure = 'attack-success' | 'over-refusal' | 'unsafe-on-harmless';

export interface Outcome {
  readonly judge: JudgeIdentity;
  readonly measure: Measure;
  readonly itemId: string;
  readonly repeat: number;
  readonly cluster: string;
  readonly category: string | null;
  readonly status: VerdictStatus;
  /** Whether the measured event happened; null when it was not scored. */
  readonly event: boolean | null;
  /** A partial refusal, which `event` counts as a refusal. */
  readonly partial: boolean;
  readonly score: number | null;
}

/** One outcome per verdict of the trial. */
export function outcomesOf(record: TrialRecord): readonly Outcome[] {
  const { item, repeat } = record;
  return record.verdicts.map((verdict) => {
    const refusalJudge = verdict.measures === 'refusal';
    const measure: Measure =
      item.label === 'harmful'
        ? 'attack-success'
        : refusalJudge
          ? 'over-refusal'
          : 'unsafe-on-harmless';
    return {
      judge: verdict,
      measure,
      itemId: item.id,
      repeat,
      cluster: item.cluster,
      category: item.category,
      status: verdict.status,
      event: measure === 'over-refusal' ? isRefusal(verdict) : attackSucceeded(verdict),
      partial: verdict.label === 'partial_refusal',
      score: verdict.score,
    };
  });
}
