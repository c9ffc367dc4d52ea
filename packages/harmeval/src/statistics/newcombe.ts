// Intervals for the difference between two proportions, unpaired and paired (Newcombe 1998).
import { HarmEvalError } from '../harm-eval-error.ts';
import { criticalZ, type Estimate } from './interval.ts';
import { wilson } from './wilson.ts';

export interface Proportion {
  readonly successes: number;
  readonly trials: number;
}

/** Independent groups: Newcombe's hybrid score interval (method 10 of 1998a) for `a - b`. */
export function newcombe(a: Proportion, b: Proportion, confidence = 0.95): Estimate {
  const first = wilson(a.successes, a.trials, confidence);
  const second = wilson(b.successes, b.trials, confidence);
  const value = first.value - second.value;
  return {
    value,
    low: value - Math.hypot(first.value - first.low, second.high - second.value),
    high: value + Math.hypot(first.high - first.value, second.value - second.low),
    confidence,
  };
}

/** The four cells of two binary outcomes on the same items. */
export interface PairedCounts {
  readonly both: number;
  readonly onlyFirst: number;
  readonly onlySecond: number;
  readonly neither: number;
}

/** Refuses cells that are not counts, or no pairs at all. */
export function requirePairs(counts: PairedCounts): number {
  const cells = [counts.both, counts.onlyFirst, counts.onlySecond, counts.neither];
  const total = cells.reduce((sum, cell) => sum + cell, 0);
  if (cells.every((cell) => Number.isInteger(cell) && cell >= 0) && total > 0) return total;
  throw new HarmEvalError(`[${cells.join(', ')}] are not the counts of paired outcomes`, {
    code: 'BAD_ARGUMENT',
    hint: 'pass four whole numbers, zero or more, with at least one pair',
  });
}

/**
 * Same items: Newcombe's square-and-add interval for paired data (method 10 of 1998b) for rate of the first arm minus rate
 * of the second. The correlation of the arms narrows or widens it; a continuity correction keeps it honest for small cells.
 */
export function newcombePaired(counts: PairedCounts, confidence = 0.95): Estimate {
  const total = requirePairs(counts);
  criticalZ(confidence);
  const { both, onlyFirst, onlySecond, neither } = counts;
  const first = wilson(both + onlyFirst, total, confidence);
  const second = wilson(both + onlySecond, total, confidence);
  const value = (onlyFirst - onlySecond) / total;
  const correlation = correctedPhi(both, onlyFirst, onlySecond, neither);
  const spread = (x: number, y: number) =>
    Math.sqrt(Math.max(0, x * x - 2 * correlation * x * y + y * y));
  return {
    value,
    low: value - spread(first.value - first.low, second.high - second.value),
    high: value + spread(first.high - first.value, second.value - second.low),
    confidence,
  };
}

/** Phi of the 2x2 table with Newcombe's correction: a positive numerator is lowered by n/2, never below zero. */
function correctedPhi(a: number, b: number, c: number, d: number): number {
  const margins = (a + b) * (c + d) * (a + c) * (b + d);
  if (margins === 0) return 0;
  const cross = a * d - b * c;
  const corrected = cross > 0 ? Math.max(cross - (a + b + c + d) / 2, 0) : cross;
  return corrected / Math.sqrt(margins);
}
