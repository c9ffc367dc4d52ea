// The smallest difference a study of this size would find: printed beside n, so that "no difference" is not overread.

import quantile from '@stdlib/stats-base-dists-normal-quantile';
import { HarmEvalError } from '../harm-eval-error.ts';
import { criticalZ, requireFraction } from './interval.ts';

export interface PowerOptions {
  /** Two-sided level. Default 0.05. */
  readonly alpha?: number;
  /** Default 0.8. */
  readonly power?: number;
}

/**
 * Paired arms (McNemar): the smallest difference in rates that `pairs` items reveal when a share `discordance` of items
 * differs between the arms. Solves Connor's (1987) sample size formula for the difference; null when even a difference of
 * the whole discordance would be missed.
 */
export function detectablePairedDifference(
  study: { readonly pairs: number; readonly discordance: number },
  options: PowerOptions = {},
): number | null {
  const { pairs, discordance } = study;
  requireSize(pairs);
  requireFraction(discordance, 'discordance');
  const { zAlpha, zBeta } = criticalValues(options);
  const needed = (difference: number) =>
    ((zAlpha * Math.sqrt(discordance) + zBeta * Math.sqrt(discordance - difference ** 2)) /
      difference) **
    2;
  // The discordant share bounds the difference, so the largest possible effect is the discordance itself.
  return smallest(discordance, (difference) => needed(difference) <= pairs);
}

/** Independent arms of `perArm` items each: the smallest increase over `baseRate`; null when there is none below 1. */
export function detectableDifference(
  study: { readonly perArm: number; readonly baseRate: number },
  options: PowerOptions = {},
): number | null {
  const { perArm, baseRate } = study;
  requireSize(perArm);
  requireFraction(baseRate, 'baseRate');
  const { zAlpha, zBeta } = criticalValues(options);
  const needed = (difference: number) => {
    const other = baseRate + difference;
    const pooled = (baseRate + other) / 2;
    const spread =
      zAlpha * Math.sqrt(2 * pooled * (1 - pooled)) +
      zBeta * Math.sqrt(baseRate * (1 - baseRate) + other * (1 - other));
    return (spread / difference) ** 2;
  };
  return smallest(1 - baseRate, (difference) => needed(difference) <= perArm);
}

function criticalValues(options: PowerOptions): { zAlpha: number; zBeta: number } {
  const { alpha = 0.05, power = 0.8 } = options;
  requireFraction(alpha, 'alpha');
  requireFraction(power, 'power');
  return { zAlpha: criticalZ(1 - alpha), zBeta: quantile(power, 0, 1) };
}

/** Bisection on a monotone test over (0, limit]. 60 halvings reach double precision. */
function smallest(limit: number, enough: (difference: number) => boolean): number | null {
  if (!enough(limit)) return null;
  let low = 0;
  let high = limit;
  for (let i = 0; i < 60; i += 1) {
    const middle = (low + high) / 2;
    if (enough(middle)) high = middle;
    else low = middle;
  }
  return high;
}

function requireSize(size: number): void {
  if (Number.isInteger(size) && size >= 1) return;
  throw new HarmEvalError(`${size} is not a number of items`, {
    code: 'BAD_ARGUMENT',
    hint: 'pass a whole number, 1 or more',
  });
}
