// The control of any edit: a random change of the same weights, each of the rank and the size of the edit's.
import type { WeightDelta } from '../delta/weight-delta.ts';
import { deltaNorm, deltaShape, factorsOf } from '../delta/weight-delta.ts';
import { RandomState } from '../trace/random-state.ts';
import { randomRankOne } from './random-rank-one.ts';

/**
 * For each delta a random delta of its weight with its Frobenius norm and its form: of rank one for one pair of factors
 * (the very draws of `randomRankOne`), of rank r for r pairs, a Gaussian matrix for a dense one.
 */
export function randomChange(options: {
  readonly like: readonly WeightDelta[];
  /** Whole number from 0 below 2^32. */
  readonly seed: number;
}): WeightDelta[] {
  const { like, seed } = options;
  return like.map((delta, i) => {
    // One generator a weight: what one weight draws does not depend on the ranks of others.
    const own = (seed + i * WEIGHT_STRIDE) % 2 ** 32;
    const pairs = factorsOf(delta);
    if (pairs?.lefts.length === 1) return randomRankOne({ like: [delta], seed: own })[0]!;
    const size = deltaNorm(delta);
    const [inputs, outputs] = deltaShape(delta);
    const random = new RandomState(own);
    const { weight } = delta;
    if (!pairs) {
      const dense = random.randn(inputs * outputs);
      const factor = size / Math.sqrt(dense.reduce((sum, x) => sum + x * x, 0));
      return { weight, dense: dense.map((x) => x * factor), shape: [inputs, outputs] };
    }
    const lefts = pairs.lefts.map(() => random.randn(inputs));
    const rights = pairs.lefts.map(() => random.randn(outputs));
    const factor = size / deltaNorm({ weight, lefts, rights });
    return { weight, lefts, rights: rights.map((right) => right.map((x) => x * factor)) };
  });
}

/** Odd and large: weight i of seed s and weight 0 of a neighbouring seed draw different numbers. */
const WEIGHT_STRIDE = 0x9e3779b1;
