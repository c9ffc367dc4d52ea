import { describe, expect, it } from 'vitest';
import { deltaNorm } from '../delta/weight-delta.ts';
import { randomRankOne } from './random-rank-one.ts';

const like = [
  {
    weight: 'blocks.0.mlp.W_out',
    left: Float64Array.of(1, -2, 2),
    right: Float64Array.of(3, 4),
  },
  {
    weight: 'blocks.1.mlp.W_out',
    lefts: [Float64Array.of(1, 0, 0), Float64Array.of(0, 1, 0)],
    rights: [Float64Array.of(1, 0), Float64Array.of(0, 1)],
  },
] as const;

describe('randomRankOne', () => {
  it('has the weight, the shape and the norm of what it controls for, and a seed', () => {
    const control = randomRankOne({ like, seed: 3 });
    expect(control.map(({ weight }) => weight)).toEqual(like.map(({ weight }) => weight));
    for (const [i, delta] of control.entries()) {
      expect(delta.left).toHaveLength(3);
      expect(delta.right).toHaveLength(2);
      expect(deltaNorm(delta)).toBeCloseTo(deltaNorm(like[i]!), 12);
    }
    expect(deltaNorm(like[0])).toBe(15);
    expect(randomRankOne({ like, seed: 3 })).toEqual(control);
    expect(randomRankOne({ like, seed: 4 })).not.toEqual(control);
    // Not a copy of the edit: its direction is another one.
    const [a, b] = [like[0].left, control[0]!.left];
    expect(Math.abs(a[0]! * b[1]! - a[1]! * b[0]!)).toBeGreaterThan(1e-3);
  });
});
