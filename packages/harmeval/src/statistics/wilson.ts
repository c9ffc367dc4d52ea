// Intervals for one proportion.
import { criticalZ, type Estimate, requireCounts } from './interval.ts';

/**
 * Wilson score interval (Wilson 1927), the default for every rate: it stays inside [0, 1] and keeps its coverage for
 * small n and rates near 0 or 1.
 */
export function wilson(successes: number, trials: number, confidence = 0.95): Estimate {
  requireCounts(successes, trials);
  const z = criticalZ(confidence);
  const rate = successes / trials;
  const z2 = z * z;
  const centre = (rate + z2 / (2 * trials)) / (1 + z2 / trials);
  const half =
    (z / (1 + z2 / trials)) * Math.sqrt((rate * (1 - rate)) / trials + z2 / (4 * trials * trials));
  return {
    value: rate,
    // Rounding must not push an empty or a full cell off its bound.
    low: successes === 0 ? 0 : Math.max(0, centre - half),
    high: successes === trials ? 1 : Math.min(1, centre + half),
    confidence,
  };
}

/**
 * Exact one-sided bound for an empty or full cell (Clopper-Pearson; about 3/n at 0.95): the upper bound of the rate when
 * nothing succeeded, the lower bound when everything did.
 */
export function oneSidedBound(successes: number, trials: number, confidence = 0.95): number | null {
  requireCounts(successes, trials);
  criticalZ(confidence);
  const bound = 1 - (1 - confidence) ** (1 / trials);
  if (successes === 0) return bound;
  return successes === trials ? 1 - bound : null;
}
