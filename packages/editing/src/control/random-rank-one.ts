// The control of an edit: a random change of the same weights, of the same rank-one form and size.
import type { RankOneDelta, WeightDelta } from '../delta/weight-delta.ts';
import { deltaNorm, deltaShape } from '../delta/weight-delta.ts';
import { norm } from '../linear-algebra/vector.ts';
import { RandomState } from '../trace/random-state.ts';

/**
 * For each delta a random rank-one delta of its weight with its Frobenius norm: both factors are Gaussian directions.
 * What an edit does beyond its control is due to the fact it writes, not to a weight of that layer having moved.
 */
export function randomRankOne(options: {
  readonly like: readonly WeightDelta[];
  /** Whole number from 0 below 2^32. */
  readonly seed: number;
}): RankOneDelta[] {
  const random = new RandomState(options.seed);
  return options.like.map((delta) => {
    const [inputs, outputs] = deltaShape(delta);
    const size = deltaNorm(delta);
    return {
      weight: delta.weight,
      left: unit(random.randn(inputs)),
      right: unit(random.randn(outputs)).map((x) => x * size),
    };
  });
}

function unit(vector: Float64Array): Float64Array {
  const length = norm(vector);
  return vector.map((x) => x / length);
}
