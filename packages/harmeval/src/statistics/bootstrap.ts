// Percentile bootstrap: paired differences, clustered data, and macro averages by stratum.
import { HarmEvalError } from '../harm-eval-error.ts';
import { randomBelow, seededRandom } from '../seeded-random.ts';
import { type Estimate, requireFraction } from './interval.ts';
import { sortedQuantile } from './quantile.ts';

export interface BootstrapOptions {
  readonly seed: number;
  /** Default 10,000: the interval ends then move by less than about 0.02 of a standard error between seeds. */
  readonly resamples?: number;
  readonly confidence?: number;
}

const RESAMPLES = 10_000;

/** Percentile interval of sorted or unsorted replicates around a point estimate. */
export function percentileInterval(
  value: number,
  replicates: Float64Array,
  confidence: number,
): Estimate {
  requireFraction(confidence, 'confidence');
  const sorted = Float64Array.from(replicates).sort();
  return {
    value,
    low: sortedQuantile(sorted, (1 - confidence) / 2),
    high: sortedQuantile(sorted, 1 - (1 - confidence) / 2),
    confidence,
  };
}

/**
 * Mean difference `a[i] - b[i]` of two arms on the same items, items resampled together. With `clusters`, whole clusters
 * are resampled (repeats of an item, near-duplicates).
 */
export function pairedBootstrap(
  data: {
    readonly a: readonly number[];
    readonly b: readonly number[];
    readonly clusters?: readonly string[];
  },
  options: BootstrapOptions,
): Estimate {
  const { a, b, clusters } = data;
  if (a.length !== b.length || a.length === 0 || (clusters?.length ?? a.length) !== a.length) {
    throw new HarmEvalError(`arms of ${a.length} and ${b.length} values cannot be paired`, {
      code: 'BAD_ARGUMENT',
      hint: 'pass one value per item for both arms (and one cluster name), in the same order',
    });
  }
  const groups = new Map<string, { sum: number; count: number }>();
  a.forEach((value, i) => {
    const name = clusters?.[i] ?? String(i);
    const group = groups.get(name) ?? { sum: 0, count: 0 };
    group.sum += value - (b[i] ?? Number.NaN);
    group.count += 1;
    groups.set(name, group);
  });
  const units = [...groups.values()];
  const { seed, resamples = RESAMPLES, confidence = 0.95 } = options;
  const random = seededRandom(seed);
  const replicates = new Float64Array(resamples);
  for (let r = 0; r < resamples; r += 1) {
    let sum = 0;
    let count = 0;
    for (let i = 0; i < units.length; i += 1) {
      const unit = units[randomBelow(random, units.length)];
      sum += unit?.sum ?? 0;
      count += unit?.count ?? 0;
    }
    replicates[r] = sum / count;
  }
  const total = units.reduce((sum, unit) => sum + unit.sum, 0);
  return percentileInterval(total / a.length, replicates, confidence);
}

export interface MacroEstimate extends Estimate {
  /** Strata whose values are all equal: resampling them adds no width, so the interval is too narrow there. */
  readonly degenerateStrata: number;
  readonly strata: number;
}

/**
 * Unweighted mean of stratum means, values resampled within each stratum. Strata with a rate of 0 or 1 contribute no
 * width (0 of 50 still allows 7 %): their number is reported beside the interval.
 */
export function macroAverage(
  strata: readonly (readonly number[])[],
  options: BootstrapOptions,
): MacroEstimate {
  if (strata.length === 0 || strata.some((values) => values.length === 0)) {
    throw new HarmEvalError('a macro average needs at least one value in every stratum', {
      code: 'BAD_ARGUMENT',
      hint: 'leave empty categories out, and say so beside the number',
    });
  }
  const { seed, resamples = RESAMPLES, confidence = 0.95 } = options;
  const random = seededRandom(seed);
  const replicates = new Float64Array(resamples);
  for (let r = 0; r < resamples; r += 1) {
    let total = 0;
    for (const values of strata) {
      let sum = 0;
      for (let i = 0; i < values.length; i += 1)
        sum += values[randomBelow(random, values.length)] ?? 0;
      total += sum / values.length;
    }
    replicates[r] = total / strata.length;
  }
  const means = strata.map(
    (values) => values.reduce((sum, value) => sum + value, 0) / values.length,
  );
  const value = means.reduce((sum, mean) => sum + mean, 0) / means.length;
  return {
    ...percentileInterval(value, replicates, confidence),
    degenerateStrata: strata.filter((values) => values.every((entry) => entry === values[0]))
      .length,
    strata: strata.length,
  };
}
