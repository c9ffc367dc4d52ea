import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { expectGradients, smoothScore } from '../../test/gradient-check.ts';
import { onBackend } from '../../test/on-backend.ts';
import type { WeightName } from '../config/weight-name.ts';
import type { HookName } from '../hooks/hook-name.ts';
import { createRandomModel } from '../model/create-random-model.ts';
import { normals } from '../random/seeded-random.ts';
import type { GradientInputs } from './gradients.ts';

onBackend('cpu');

const ROWS = [{ tokens: [5, 9, 33, 2, 71, 8, 12] }, { tokens: [90, 1, 44] }];

/** sum(a * b) in float64. */
function dot(a: Float32Array | Int32Array | Uint8Array, b: Float32Array): number {
  let sum = 0;
  a.forEach((value, i) => {
    sum += value * (b[i] as number);
  });
  return sum;
}

describe.each(['llama', 'gpt2'] as const)('gradients of a %s-like model', (like) => {
  it('equal finite differences along a random direction at every point', () => {
    const before = tf.memory().numTensors;
    const model = createRandomModel({ config: { like }, seed: 3 });
    expectGradients(model, ROWS, model.points());
    // A per-head input has its own norm: both at once would show a zero at one of them.
    const of = (inputs: GradientInputs): tf.Scalar => smoothScore(inputs, 2);
    expect(() => model.gradients({ rows: ROWS, of, at: model.points() })).toThrow(
      expect.objectContaining({ code: 'BAD_ARGUMENT' }),
    );
    model.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('are zero for rows and points that the value does not read', () => {
    using model = createRandomModel({ config: { like }, seed: 3 });
    using result = model.gradients({
      rows: ROWS,
      of: ({ logits }) => tf.sum(logits(0)),
      at: ['blocks.1.hook_resid_post'],
    });
    expect(result.grad(1, 'blocks.1.hook_resid_post').abs().sum().dataSync()[0]).toBe(0);
    expect(result.grad(0, 'blocks.1.hook_resid_post').abs().sum().dataSync()[0]).toBeGreaterThan(0);
  });

  it('leaks nothing when the function throws', () => {
    using model = createRandomModel({ config: { like }, seed: 3 });
    const before = tf.memory().numTensors;
    const attempt = (of: () => tf.Scalar) => () =>
      model.gradients({ rows: ROWS, of, at: ['blocks.0.hook_resid_post'] });
    expect(
      attempt(() => {
        throw new Error('no');
      }),
    ).toThrow('no');
    expect(attempt(() => tf.zeros([2]) as never)).toThrow(
      expect.objectContaining({ code: 'HOOK_RESULT' }),
    );
    expect(tf.memory().numTensors).toBe(before);
  });

  it('over a cache are those of the whole row at its last tokens, and the cache stays as it was', () => {
    using model = createRandomModel({ config: { like }, seed: 3 });
    const { tokens } = ROWS[0]!;
    const at: HookName = 'blocks.0.hook_resid_post';
    const of = ({ logits }: GradientInputs): tf.Scalar => tf.sum(tf.tanh(logits(0)));
    using whole = model.gradients({ rows: [{ tokens }], of, at: [at] });
    using cache = model.createCache();
    model.forward([{ tokens: tokens.slice(0, 5), cache }]).dispose();
    const expected = whole.grad(0, at);
    const before = tf.memory().numTensors;
    const part = model.gradients({ rows: [{ tokens: tokens.slice(5), cache }], of, at: [at] });
    const difference = tf.tidy(() => {
      const last = tf.slice(expected, [5, 0], [2, -1]);
      return tf.sub(last, part.grad(0, at)).abs().max().dataSync()[0];
    });
    expect(difference).toBeLessThan(1e-5);
    expect(cache.length).toBe(5);
    part.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('from a block on, with some logits only, are those of the whole pass', () => {
    using model = createRandomModel({ config: { like }, seed: 3 });
    const at: HookName = 'blocks.1.hook_mlp_out';
    const score = (x: tf.Tensor2D): tf.Tensor => tf.sum(tf.tanh(x));
    using whole = model.gradients({
      rows: ROWS,
      at: [at],
      logits: 'all',
      of: ({ logits }) =>
        tf.add(
          score(tf.slice(logits(0), [3, 0], [2, -1])),
          score(tf.slice(logits(1), [2, 0], [1, -1])),
        ),
    });
    using below = model.forward(ROWS, { capture: ['blocks.1.hook_resid_pre'], logits: 'none' });
    const residuals = ROWS.map((_, row) => below.captured(row, 'blocks.1.hook_resid_pre'));
    const options = { rows: ROWS, at: [at], logits: 'all', startAtLayer: 1, residuals } as const;
    const of = ({ logits }: GradientInputs): tf.Scalar =>
      tf.add(score(logits(0)), score(logits(1)));
    for (const row of [0, 1]) whole.grad(row, at);
    const before = tf.memory().numTensors;
    const part = model.gradients({ ...options, logitPositions: [[3, 4], [2]], of });
    for (const row of [0, 1]) {
      const distance = tf.tidy(() =>
        tf.sub(whole.grad(row, at), part.grad(row, at)).abs().max().dataSync(),
      );
      expect(distance[0]).toBeLessThan(1e-5);
    }
    part.dispose();
    expect(tf.memory().numTensors).toBe(before);
    for (const wrong of [
      { logitPositions: [[3, 7], [2]] },
      { logitPositions: [[3]] },
      { logitPositions: [[3], [2]], residuals: residuals.slice(1) },
      { logitPositions: [[3], [2]], startAtLayer: 0 },
    ]) {
      expect(() => model.gradients({ ...options, ...wrong, of })).toThrow(
        expect.objectContaining({ code: 'BAD_ARGUMENT' }),
      );
    }
    // The residuals decide: other ones give another gradient.
    using other = model.gradients({
      ...options,
      residuals: residuals.map((x) => tf.tidy(() => tf.mul(x, 2) as tf.Tensor2D)),
      logitPositions: [[3, 4], [2]],
      of,
    });
    const apart = tf.tidy(() =>
      tf.sub(whole.grad(0, at), other.grad(0, at)).abs().max().dataSync(),
    );
    expect(apart[0]).toBeGreaterThan(1e-4);
  });

  it('reach weights and adapters through trace', () => {
    using model = createRandomModel({ config: { like }, seed: 3 });
    const before = tf.memory().numTensors;
    const name: WeightName = 'blocks.0.attn.W_V';
    const [width, out] = model.weights.get(name)!.shape as [number, number];
    const loss = (A: tf.Tensor, B: tf.Tensor): tf.Scalar => {
      const deltas = new Map([[name, { A: A as tf.Tensor2D, B: B as tf.Tensor2D, scale: 0.5 }]]);
      const adapters = new Map([['lora', { deltas }]]);
      const rows = [ROWS[0]!, { ...ROWS[1]!, adapter: 'lora' }];
      const { logits, rowOffsets } = model.trace({ rows, adapters });
      expect(rowOffsets).toEqual([0, 7, 10]);
      return tf.mean(tf.square(logits));
    };
    const A = tf.tensor(normals(1, width * 2), [width, 2]);
    const B = tf.tensor(normals(2, 2 * out), [2, out]);
    const gradient = tf.grads((a: tf.Tensor, b: tf.Tensor) => loss(a, b))([A, B]);
    const direction = normals(9, width * 2);
    const value = (h: number): number =>
      tf.tidy(() => {
        const step = tf.tensor(
          direction.map((x) => x * h),
          [width, 2],
        );
        return loss(tf.add(A, step), B).dataSync()[0] as number;
      });
    const h = 1e-2;
    const found = (value(h) - value(-h)) / (2 * h);
    const expected = dot(gradient[0]!.dataSync(), direction);
    expect(Math.abs(found - expected) / Math.abs(expected)).toBeLessThan(0.02);
    tf.dispose([A, B, ...gradient]);
    expect(tf.memory().numTensors).toBe(before);
  });
});
