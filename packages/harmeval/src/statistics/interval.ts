// Interval types and the critical value they share.
import quantile from '@stdlib/stats-base-dists-normal-quantile';
import { HarmEvalError } from '../harm-eval-error.ts';

export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** An estimate with its interval at the stated confidence. */
export interface Estimate extends Interval {
  readonly value: number;
  readonly confidence: number;
}

/** Two-sided standard normal critical value: 1.959964 at 0.95. */
export function criticalZ(confidence: number): number {
  requireFraction(confidence, 'confidence');
  return quantile(1 - (1 - confidence) / 2, 0, 1);
}

/** Refuses a number that is not strictly between 0 and 1. */
export function requireFraction(value: number, name: string): void {
  if (value > 0 && value < 1) return;
  throw new HarmEvalError(`${name} is ${value}`, {
    code: 'BAD_ARGUMENT',
    hint: `${name} lies strictly between 0 and 1, such as 0.95`,
  });
}

/** Refuses counts that are no counts: not integers, negative, or more successes than trials. */
export function requireCounts(successes: number, trials: number): void {
  const whole = Number.isInteger(successes) && Number.isInteger(trials);
  if (whole && successes >= 0 && trials >= 1 && successes <= trials) return;
  throw new HarmEvalError(`${successes} of ${trials} is not a proportion`, {
    code: 'BAD_ARGUMENT',
    hint: 'pass whole numbers with 0 <= successes <= trials and at least one trial',
  });
}
