import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { figure } from '../../test/figures.ts';
import { createAdam } from './adam.ts';

/** By torch.optim.Adam in float64. */
const golden = JSON.parse(
  readFileSync(new URL('../../fixtures/adam.json', import.meta.url), 'utf8'),
) as {
  readonly learning_rate: number;
  readonly gradients: readonly (readonly number[])[];
  readonly after: readonly (readonly number[])[];
};

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

  it("check 7: 19 steps of torch's Adam on gradients from 1e-9 to 100; TensorFlow's epsilon is told apart", () => {
    const { gradients, after, learning_rate: learningRate } = golden;
    const worst = (epsilon?: number): number => {
      const size = gradients[0]!.length;
      const adam = createAdam({
        size,
        learningRate,
        ...(epsilon === undefined ? {} : { epsilon }),
      });
      const x = new Float64Array(size);
      let largest = 0;
      for (const [step, gradient] of gradients.entries()) {
        adam.step(x, Float64Array.from(gradient));
        for (const [i, expected] of after[step]!.entries())
          largest = Math.max(largest, Math.abs(x[i]! - expected));
      }
      return largest;
    };
    expect(gradients).toHaveLength(19);
    expect(figure(7, 'Adam alone, absolute', worst())).toBeLessThan(1e-12);
    expect(figure(7, 'Adam with epsilon 1e-7, absolute', worst(1e-7), 'control')).toBeGreaterThan(
      1e-2,
    );
  });
});
