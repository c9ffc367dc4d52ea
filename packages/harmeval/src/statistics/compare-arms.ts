// Two arms on the same items: paired test, interval of the difference, and what the study could have found.
import tCdf from '@stdlib/stats-base-dists-t-cdf';
import type { Agreement } from '../calibration/agreement.ts';
import { HarmEvalError } from '../harm-eval-error.ts';
import { type BootstrapOptions, pairedBootstrap } from './bootstrap.ts';
import { clusterRobustMean } from './cluster-robust.ts';
import { detectablePairedDifference } from './detectable-effect.ts';
import { holm } from './holm.ts';
import type { Estimate } from './interval.ts';
import { exactMcNemar } from './mcnemar.ts';
import { newcombePaired, type PairedCounts } from './newcombe.ts';
import { wilson } from './wilson.ts';

/** What a comparison needs of an outcome; `Outcome` of the runner has it. */
export interface ArmOutcome {
  readonly itemId: string;
  readonly repeat: number;
  readonly cluster: string;
  readonly event: boolean | null;
}

export interface ArmComparison {
  /** Items (and repeats) scored in both arms. */
  readonly pairs: number;
  /** Left out because one arm has no verdict, and because one arm lacks the item. */
  readonly unscored: number;
  readonly unmatched: number;
  readonly baseline: Estimate;
  readonly treatment: Estimate;
  /** Treatment minus baseline: below zero, the treatment has fewer events. */
  readonly difference: Estimate;
  readonly counts: PairedCounts;
  /** Exact McNemar and Newcombe's paired interval when every item stands alone; otherwise t test and bootstrap by cluster. */
  readonly test: 'exact-mcnemar' | 'cluster-t';
  readonly p: number;
  /** Adjusted over the family; set by `adjustFamily`. */
  readonly holmP: number | null;
  /** The smallest difference that 80 % of such studies find at 0.05; null when none, or when no item differs. */
  readonly detectable: number | null;
}

/** Compares two arms by item and repeat. Throws `BAD_ARGUMENT` when they share no scored item. */
export function compareArms(
  arms: { readonly baseline: readonly ArmOutcome[]; readonly treatment: readonly ArmOutcome[] },
  options: Partial<BootstrapOptions> = {},
): ArmComparison {
  const { confidence = 0.95, seed = 1, resamples = 10_000 } = options;
  const key = ({ itemId, repeat }: ArmOutcome) => `${itemId}/${repeat}`;
  const treated = new Map(arms.treatment.map((outcome) => [key(outcome), outcome]));
  const a: number[] = [];
  const b: number[] = [];
  const clusters: string[] = [];
  let unscored = 0;
  let matched = 0;
  for (const outcome of arms.baseline) {
    const other = treated.get(key(outcome));
    if (other === undefined) continue;
    matched += 1;
    if (outcome.event === null || other.event === null) {
      unscored += 1;
      continue;
    }
    a.push(other.event ? 1 : 0);
    b.push(outcome.event ? 1 : 0);
    clusters.push(outcome.cluster);
  }
  if (a.length === 0) {
    throw new HarmEvalError('the two arms share no item that both scored', {
      code: 'BAD_ARGUMENT',
      hint: 'compare arms of one dataset and one judge',
    });
  }
  const counts = count(a, b);
  const independent = new Set(clusters).size === clusters.length;
  const discordance = (counts.onlyFirst + counts.onlySecond) / a.length;
  return {
    pairs: a.length,
    unscored,
    unmatched: arms.baseline.length + treated.size - 2 * matched,
    baseline: wilson(counts.both + counts.onlySecond, a.length, confidence),
    treatment: wilson(counts.both + counts.onlyFirst, a.length, confidence),
    difference: independent
      ? newcombePaired(counts, confidence)
      : pairedBootstrap({ a, b, clusters }, { seed, resamples, confidence }),
    counts,
    test: independent ? 'exact-mcnemar' : 'cluster-t',
    p: independent ? exactMcNemar(counts).p : clusterP(a, b, clusters),
    holmP: null,
    detectable:
      discordance === 0 || discordance === 1
        ? null
        : detectablePairedDifference({ pairs: a.length, discordance }),
  };
}

/** Cells with the treatment first, as the difference is treatment minus baseline. */
function count(a: readonly number[], b: readonly number[]): PairedCounts {
  const cells = { both: 0, onlyFirst: 0, onlySecond: 0, neither: 0 };
  a.forEach((value, i) => {
    if (value === 1) cells[b[i] === 1 ? 'both' : 'onlyFirst'] += 1;
    else cells[b[i] === 1 ? 'onlySecond' : 'neither'] += 1;
  });
  return cells;
}

function clusterP(a: readonly number[], b: readonly number[], clusters: readonly string[]): number {
  const differences = a.map((value, i) => value - (b[i] ?? 0));
  const { value, standardError, clusters: groups } = clusterRobustMean(differences, clusters);
  if (standardError === 0) return value === 0 ? 1 : 0;
  return 2 * tCdf(-Math.abs(value / standardError), groups - 1);
}

/** Holm's adjustment over all planned comparisons, in their order. */
export function adjustFamily(comparisons: readonly ArmComparison[]): readonly ArmComparison[] {
  const adjusted = holm(comparisons.map(({ p }) => p));
  return comparisons.map((comparison, i) => ({ ...comparison, holmP: adjusted[i] ?? 1 }));
}

/**
 * True when the judge is wrong more often than the arms differ: the difference may then be the judge's, and the report
 * must say so. A significant p does not help, because an error that depends on the arm is no noise.
 */
export function withinJudgeError(
  comparison: ArmComparison,
  calibration: Pick<Agreement, 'accuracy'>,
): boolean {
  return Math.abs(comparison.difference.value) <= 1 - calibration.accuracy.value;
}
