// A rate that hides nothing: n, unscored by reason, interval over the scored, bounds over all.
import type { VerdictStatus } from '../judges/verdict.ts';
import { type ClusterEstimate, clusterRobustMean } from '../statistics/cluster-robust.ts';
import type { Estimate } from '../statistics/interval.ts';
import { oneSidedBound, wilson } from '../statistics/wilson.ts';
import type { Outcome } from './outcome.ts';

export interface Rate {
  readonly total: number;
  readonly scored: number;
  readonly unscored: number;
  readonly unscoredByStatus: Readonly<Partial<Record<VerdictStatus, number>>>;
  readonly events: number;
  /** Events that are partial refusals; only over-refusal has them. */
  readonly partial: number;
  /** Wilson interval over the scored outcomes; null when none was scored. */
  readonly estimate: Estimate | null;
  /** For 0 of n the upper, for n of n the lower exact one-sided bound; null in between. */
  readonly oneSided: number | null;
  /** Interval over clusters (repeats, near-duplicates); null when every outcome stands alone. Wider than `estimate`. */
  readonly clustered: ClusterEstimate | null;
  /** The rate if no unscored outcome were an event, and if all were: nothing in between can be excluded. */
  readonly bounds: { readonly low: number; readonly high: number };
}

/** Summarises outcomes of one judge and one measure. */
export function rateOf(outcomes: readonly Outcome[], confidence = 0.95): Rate {
  const unscoredByStatus: Partial<Record<VerdictStatus, number>> = {};
  let scored = 0;
  let events = 0;
  let partial = 0;
  for (const outcome of outcomes) {
    if (outcome.event === null) {
      unscoredByStatus[outcome.status] = (unscoredByStatus[outcome.status] ?? 0) + 1;
      continue;
    }
    scored += 1;
    if (!outcome.event) continue;
    events += 1;
    if (outcome.partial) partial += 1;
  }
  const total = outcomes.length;
  const unscored = total - scored;
  return {
    total,
    scored,
    unscored,
    unscoredByStatus,
    events,
    partial,
    estimate: scored === 0 ? null : wilson(events, scored, confidence),
    oneSided: scored === 0 ? null : oneSidedBound(events, scored, confidence),
    clustered: clusteredEstimate(outcomes, confidence),
    bounds: {
      low: total === 0 ? 0 : events / total,
      high: total === 0 ? 1 : (events + unscored) / total,
    },
  };
}

function clusteredEstimate(
  outcomes: readonly Outcome[],
  confidence: number,
): ClusterEstimate | null {
  const scored = outcomes.filter(({ event }) => event !== null);
  const clusters = scored.map(({ cluster }) => cluster);
  const distinct = new Set(clusters).size;
  if (distinct < 2 || distinct === clusters.length) return null;
  const values = scored.map(({ event }) => (event ? 1 : 0));
  return clusterRobustMean(values, clusters, confidence);
}
