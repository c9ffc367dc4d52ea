import { Matrix, SingularValueDecomposition } from 'ml-matrix';
import { describe, expect, it } from 'vitest';
import { addDelta, deltaNorm, type WeightDelta } from '../delta/weight-delta.ts';
import { randomChange } from './random-change.ts';
import { randomRankOne } from './random-rank-one.ts';

const vector = (n: number, at: number): Float64Array =>
  Float64Array.from({ length: n }, (_, i) => Math.sin(1 + at * n + i));
const rankOne: WeightDelta = {
  weight: 'blocks.0.mlp.W_out',
  left: vector(6, 0),
  right: vector(4, 1),
};
const rankTwo: WeightDelta = {
  weight: 'blocks.1.mlp.W_out',
  lefts: [vector(6, 2), vector(6, 3)],
  rights: [vector(4, 4), vector(4, 5)],
};
const dense: WeightDelta = {
  weight: 'blocks.2.mlp.W_out',
  dense: vector(24, 6),
  shape: [6, 4],
};
const like = [rankOne, rankTwo, dense];

/** Singular values above rounding. */
function rankOf(delta: WeightDelta): number {
  const sum = new Float64Array(24);
  addDelta(sum, delta);
  const matrix = Matrix.from1DArray(6, 4, sum);
  return new SingularValueDecomposition(matrix).diagonal.filter((s) => s > 1e-9).length;
}

describe('randomChange', () => {
  it('has weight, rank and norm of each change it controls for, and a seed', () => {
    const control = randomChange({ like, seed: 3 });
    expect(control.map(({ weight }) => weight)).toEqual(like.map(({ weight }) => weight));
    expect(control.map(rankOf)).toEqual([1, 2, 4]);
    for (const [i, delta] of control.entries())
      expect(deltaNorm(delta)).toBeCloseTo(deltaNorm(like[i]!), 12);
    expect(randomChange({ like, seed: 3 })).toEqual(control);
    expect(randomChange({ like, seed: 4 })).not.toEqual(control);
  });

  it('is the rank-one control where the edit has rank one', () => {
    expect(randomChange({ like: [rankOne], seed: 9 })).toEqual(
      randomRankOne({ like: [rankOne], seed: 9 }),
    );
    const asList: WeightDelta = {
      weight: rankOne.weight,
      lefts: [rankOne.left],
      rights: [rankOne.right],
    };
    expect(randomChange({ like: [asList], seed: 9 })).toEqual(
      randomRankOne({ like: [rankOne], seed: 9 }),
    );
  });
});
