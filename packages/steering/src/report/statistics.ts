// Intervals and paired tests of the report: Wilson, bootstrap, exact McNemar.
import { uniformAt } from '@safeinfer/transformer';
import { quantile } from '../strength/distribution.ts';

export interface Interval {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** 95 % Wilson score interval of a proportion. */
export function wilson(successes: number, total: number): Interval {
  if (total === 0) return { value: Number.NaN, low: 0, high: 1 };
  const z = 1.959963984540054;
  const p = successes / total;
  const centre = (p + z ** 2 / (2 * total)) / (1 + z ** 2 / total);
  const half =
    (z / (1 + z ** 2 / total)) * Math.sqrt((p * (1 - p)) / total + z ** 2 / (4 * total ** 2));
  return { value: p, low: Math.max(0, centre - half), high: Math.min(1, centre + half) };
}

/** Mean with a 95 % percentile bootstrap interval over samples. */
export function bootstrapMean(values: readonly number[], seed: number, draws = 1000): Interval {
  const mean = (x: readonly number[]): number => x.reduce((sum, v) => sum + v, 0) / x.length;
  let counter = 0;
  const means = Array.from({ length: draws }, () =>
    mean(values.map(() => values[Math.floor(uniformAt(seed, counter++) * values.length)]!)),
  );
  return { value: mean(values), low: quantile(means, 0.025), high: quantile(means, 0.975) };
}

/** Two-sided exact McNemar test on paired outcomes: the chance of a split of the discordant pairs this uneven. */
export function mcNemar(before: readonly boolean[], after: readonly boolean[]): number {
  let [gained, lost] = [0, 0];
  for (const [i, value] of before.entries()) {
    if (!value && after[i]) gained += 1;
    if (value && !after[i]) lost += 1;
  }
  const n = gained + lost;
  let tail = 0;
  let term = 0.5 ** n;
  for (let k = 0; k <= Math.min(gained, lost); k += 1) {
    tail += term;
    term *= (n - k) / (k + 1);
  }
  return Math.min(1, 2 * tail);
}

/** Holm's step-down correction: adjusted p values in the order given. */
export function holm(p: readonly number[]): number[] {
  const order = p.map((_, i) => i).sort((a, b) => p[a]! - p[b]!);
  const out = p.map(() => 1);
  let running = 0;
  for (const [rank, index] of order.entries()) {
    running = Math.max(running, Math.min(1, p[index]! * (p.length - rank)));
    out[index] = running;
  }
  return out;
}
