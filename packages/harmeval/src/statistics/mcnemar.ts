// Exact McNemar test: do two arms differ on the same items?
import { type PairedCounts, requirePairs } from './newcombe.ts';

export interface McNemarResult {
  /** Two-sided exact p; 1 when no item differs. */
  readonly p: number;
  /** The mid-p variant (Fagerland et al. 2013): less conservative, not guaranteed below the level. */
  readonly midP: number;
  /** Items on which the arms differ: all the evidence there is. */
  readonly discordant: number;
}

/** Binomial test on the discordant pairs (McNemar 1947, exact form). */
export function exactMcNemar(counts: PairedCounts): McNemarResult {
  requirePairs(counts);
  const { onlyFirst, onlySecond } = counts;
  const discordant = onlyFirst + onlySecond;
  if (discordant === 0) return { p: 1, midP: 1, discordant };
  const smaller = Math.min(onlyFirst, onlySecond);
  // Terms of Binomial(n, 1/2) in logarithms: exact for any n without large factorials.
  let log = -discordant * Math.LN2;
  let tail = 0;
  let last = 0;
  for (let k = 0; k <= smaller; k += 1) {
    last = Math.exp(log);
    tail += last;
    log += Math.log(discordant - k) - Math.log(k + 1);
  }
  const equal = onlyFirst === onlySecond;
  return {
    p: equal ? 1 : Math.min(1, 2 * tail),
    midP: equal ? 1 - last / 2 : Math.min(1, 2 * tail - last),
    discordant,
  };
}
