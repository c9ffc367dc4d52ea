import { describe, expect, it } from 'vitest';
import { createAdam } from './adam.ts';

describe('createAdam', () => {
  // Published first steps of torch.optim.Adam for lr 0.5 (fact sheet, editing 0.3); tf.train.adam gives -0.4999966.
  it.each([
    [1, -0.49999999],
    [1e-3, -0.499995],
  ])('first step for gradient %f', (gradient, expected) => {
    const x = new Float64Array(1);
    createAdam({ size: 1, learningRate: 0.5 }).step(x, Float64Array.of(gradient));
    expect(x[0]).toBeCloseTo(expected, 6);
  });
});
