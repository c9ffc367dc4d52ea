// Gradients at hook points against finite differences of whole passes.
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'vitest';
import type { GradientInputs } from '../src/gradients/gradients.ts';
import type { HookName } from '../src/hooks/hook-name.ts';
import type { Row } from '../src/model/row.ts';
import type { Transformer } from '../src/model/transformer.ts';
import { normals } from '../src/random/seeded-random.ts';

/** A smooth scalar that depends on the logits of every row. */
export function smoothScore({ logits }: Pick<GradientInputs, 'logits'>, rows: number): tf.Scalar {
  const parts = Array.from({ length: rows }, (_, row) => {
    const own = logits(row);
    const weights = tf.sin(tf.add(tf.range(0, own.shape[1]), row));
    return tf.sum(tf.mul(tf.tanh(tf.div(own, 4)), weights));
  });
  return tf.addN(parts) as tf.Scalar;
}

/** An input with a norm of its own cannot be differentiated in one pass with the shared norm. */
export function isSplitInput(name: string): boolean {
  return /hook_(attn_in|[qkv]_input|mlp_in)$/.test(name);
}

/** Expects the gradient of row 0 at every point to be the derivative along a random direction. */
export function expectGradients(
  model: Transformer,
  rows: readonly Row[],
  points: readonly HookName[],
): void {
  const of = (inputs: GradientInputs): tf.Scalar => smoothScore(inputs, rows.length);
  for (const at of [points.filter(isSplitInput), points.filter((name) => !isSplitInput(name))]) {
    if (at.length === 0) continue;
    using whole = model.gradients({ rows, of, at });
    at.forEach((name, i) => {
      const gradient = whole.grad(0, name);
      const activation = whole.captured(0, name);
      expect(gradient.shape, name).toEqual(activation.shape);
      // Masked scores are -3.4e38: directions leave them alone.
      const values = activation.dataSync();
      const raw = normals(100 + i, gradient.size).map((x, j) =>
        Math.abs(values[j] as number) > 1e30 ? 0 : x,
      );
      const size = Math.hypot(...raw) / Math.sqrt(raw.length);
      const direction = raw.map((x) => x / size);
      const score = (h: number): number => {
        const step = tf.tensor(
          direction.map((x) => x * h),
          gradient.shape,
        );
        const move = { at: name, apply: (x: tf.Tensor): tf.Tensor => tf.add(x, step) };
        const [first, ...others] = rows as [Row, ...Row[]];
        using moved = model.forward([{ ...first, interventions: [move] }, ...others]);
        const value = tf.tidy(
          () =>
            smoothScore(
              { logits: (row) => moved.logits(row) },
              rows.length,
            ).dataSync()[0] as number,
        );
        step.dispose();
        return value;
      };
      const g = gradient.dataSync();
      const expected = direction.reduce((sum, x, j) => sum + x * (g[j] as number), 0);
      // Richardson: the error of central differences falls as h^4, so h can stay far above fp32 noise.
      const central = (h: number): number => (score(h) - score(-h)) / (2 * h);
      const h = name.includes('scale') ? 2e-3 : 4e-3;
      const found = (4 * central(h) - central(2 * h)) / 3;
      // The typical size of the derivative along a random direction: its own value may be near zero.
      const typical = Math.max(0.05, Math.hypot(...g));
      const error = Math.abs(found - expected) / typical;
      expect(error, `${name}: ${found} for ${expected}`).toBeLessThan(0.02);
    });
  }
}
