// Mean with a cluster-robust standard error: repeats and near-duplicates are not independent observations.
import tQuantile from '@stdlib/stats-base-dists-t-quantile';
import { HarmEvalError } from '../harm-eval-error.ts';
import { type Estimate, requireFraction } from './interval.ts';

export interface ClusterEstimate extends Estimate {
  readonly standardError: number;
  readonly clusters: number;
  /** Variance relative to independent observations; above 1 the plain interval would be too narrow. */
  readonly designEffect: number;
}

/**
 * Sandwich estimate for a mean, with the small-sample factor G/(G-1) * (n-1)/(n-k) that is usual (CR1; k = 1), and a t
 * interval with G - 1 degrees of freedom (Liang and Zeger 1986; Cameron and Miller 2015).
 */
export function clusterRobustMean(
  values: readonly number[],
  clusters: readonly string[],
  confidence = 0.95,
): ClusterEstimate {
  requireFraction(confidence, 'confidence');
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  const sums = new Map<string, number>();
  values.forEach((value, i) => {
    const name = clusters[i] ?? '';
    sums.set(name, (sums.get(name) ?? 0) + value - mean);
  });
  const groups = sums.size;
  if (clusters.length !== n || groups < 2) {
    throw new HarmEvalError(`${n} values in ${groups} clusters give no standard error`, {
      code: 'BAD_ARGUMENT',
      hint: 'pass one cluster name per value, with at least two different clusters',
    });
  }
  const meat = [...sums.values()].reduce((sum, value) => sum + value * value, 0);
  const variance = (groups / (groups - 1)) * (meat / (n * n));
  const standardError = Math.sqrt(variance);
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const independent = squares / (n - 1) / n;
  const half = tQuantile(1 - (1 - confidence) / 2, groups - 1) * standardError;
  return {
    value: mean,
    low: mean - half,
    high: mean + half,
    confidence,
    standardError,
    clusters: groups,
    designEffect: independent === 0 ? 1 : variance / independent,
  };
}
