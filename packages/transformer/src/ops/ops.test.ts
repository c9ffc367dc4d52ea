import { describeOnBackends } from '@safeinfer/backend/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { normals } from '../random/seeded-random.ts';
import { activate, composedActivation, gate } from './activation.ts';
import { attention, attentionScores, attentionValues } from './attention.ts';
import { linear } from './linear.ts';
import { attentionMask } from './mask.ts';
import { composedNorm, norm } from './norm.ts';
import { composedRope, pairMatrix, rope } from './rope.ts';

let seed = 0;
const normal = <T extends tf.Tensor>(...shape: number[]): T =>
  tf.tensor(
    normals(
      seed++,
      shape.reduce((a, b) => a * b, 1),
    ),
    shape,
  ) as T;

async function difference(a: tf.Tensor, b: tf.Tensor): Promise<number> {
  expect(a.shape).toEqual(b.shape);
  return await first(tf.max(tf.abs(tf.sub(a, b))));
}

async function first(x: tf.Tensor): Promise<number> {
  const [value] = await x.data();
  return value as number;
}

/** Gradient of sum(f(x) w) for a fixed random w. */
function slope(f: (x: tf.Tensor) => tf.Tensor, x: tf.Tensor): tf.Tensor {
  const w = tf.tidy(() => normal(...f(x).shape));
  return tf.grad((y: tf.Tensor) => tf.sum(tf.mul(f(y), w)))(x);
}

/** Central difference of the same along a random direction, against the gradient. */
async function slopeError(f: (x: tf.Tensor) => tf.Tensor, x: tf.Tensor): Promise<number> {
  const start = seed;
  const gradient = slope(f, x);
  seed = start; // the same w again
  const w = tf.tidy(() => normal(...f(x).shape));
  const direction = normal(...x.shape);
  const at = (h: number): Promise<number> =>
    first(tf.sum(tf.mul(f(tf.add(x, tf.mul(direction, h))), w)));
  const h = 5e-3;
  const found = ((await at(h)) - (await at(-h))) / (2 * h);
  const expected = await first(tf.sum(tf.mul(gradient, direction)));
  // The typical size of the derivative along a random direction: its own value may be near zero.
  const size = await first(tf.norm(gradient));
  return Math.abs(found - expected) / size;
}

const activations = ['gelu', 'gelu_tanh', 'quick_gelu', 'silu', 'relu'] as const;

// Small and large inputs: backends choose their kernels by size.
await describeOnBackends('fast forms equal composed ones', () => {
  // `tf.tidy` ends at the first await; nothing else runs while a test waits.
  const tidy = (test: () => Promise<void>) => async () => {
    tf.engine().startScope();
    try {
      await test();
    } finally {
      tf.engine().endScope();
    }
  };

  for (const rows of [3, 64]) {
    it(
      `norms of ${rows} rows`,
      tidy(async () => {
        for (const kind of ['rms', 'layer'] as const) {
          for (const gainOffset of [0, 1] as const) {
            const x = normal(rows, 320);
            const b = kind === 'layer' ? normal(320) : undefined;
            const parts = { w: normal(320), b, kind, eps: 1e-5, gainOffset };
            expect(await difference(norm(x, parts), composedNorm(x, parts))).toBeLessThan(1e-5);
            expect(await slopeError((y) => norm(y, parts), x)).toBeLessThan(0.01);
          }
        }
      }),
    );

    it(
      `activations and gates of ${rows} rows`,
      tidy(async () => {
        for (const name of activations) {
          const x = normal<tf.Tensor2D>(rows, 96);
          const up = normal<tf.Tensor2D>(rows, 96);
          const composed = composedActivation(x, name);
          expect(await difference(activate(x, name), composed), name).toBeLessThan(2e-6);
          expect(await difference(gate(x, up, name), tf.mul(composed, up)), name).toBeLessThan(
            1e-5,
          );
          if (name === 'relu') continue; // its kink spoils finite differences
          expect(await slopeError((y) => gate(y as tf.Tensor2D, up, name), x), name).toBeLessThan(
            0.01,
          );
        }
      }),
    );
  }

  it(
    'rotations: halves, neighbouring pairs, partial',
    tidy(async () => {
      for (const [interleaved, dim] of [
        [false, 16],
        [true, 16],
        [false, 8],
        [true, 4],
      ] as const) {
        const rotary = { dim, theta: 1e4, interleaved, scaling: { kind: 'none' } } as const;
        const pairs = tf.tensor2d(pairMatrix(rotary, 16), [16, 16]);
        const tables = {
          pairs,
          cos: normal<tf.Tensor3D>(40, 1, 16),
          sin: normal<tf.Tensor3D>(40, 1, 16),
        };
        const x = normal<tf.Tensor3D>(40, 6, 16);
        expect(await difference(rope(x, tables), composedRope(x, tables))).toBeLessThan(1e-6);
        expect(await slopeError((y) => rope(y as tf.Tensor3D, tables), x)).toBeLessThan(0.01);
      }
    }),
  );

  it(
    'attention: groups, several blocks, masks for one stream or all, soft cap',
    tidy(async () => {
      for (const [streams, length, sizes, masks, cap] of [
        [1, 1, [9], 0, null],
        [3, 1, [32, 5], 0, null],
        [3, 7, [7], 1, null],
        [2, 4, [6, 4], 2, 30],
        [1, 40, [40], 1, 50],
      ] as const) {
        const blocks = sizes.map((n) => ({
          k: normal<tf.Tensor4D>(streams, 2, n, 16),
          v: normal<tf.Tensor4D>(streams, 2, n, 16),
        }));
        const keys = sizes.reduce((a: number, b) => a + b, 0);
        const hidden = tf.cast(tf.greater(normal(masks || 1, 1, length, keys), 0.8), 'float32');
        const mask = masks === 0 ? undefined : (tf.mul(hidden, -3.4e38) as tf.Tensor4D);
        const inputs = (q: tf.Tensor) => ({ q: q as tf.Tensor4D, blocks, mask, softcap: cap });
        const q = normal<tf.Tensor4D>(streams, 6, length, 16);
        const composed = (own: tf.Tensor): tf.Tensor4D =>
          attentionValues(tf.softmax(attentionScores(inputs(own))), blocks);
        const fast = (own: tf.Tensor): tf.Tensor4D => attention(inputs(own), false);
        expect(await difference(fast(q), composed(q))).toBeLessThan(1e-5);
        expect(await slopeError(fast, q)).toBeLessThan(0.01);
      }
    }),
  );

  it(
    'long runs of queries in pieces equal one piece, over cached keys, windows and padding',
    tidy(async () => {
      const [length, cached] = [60, 9];
      const line = (from: number, count: number): Int32Array =>
        Int32Array.from({ length: count }, (_, i) => from + i);
      const short = line(cached, length).map((p) => (p < 55 ? p : -1)); // a row that ends earlier
      for (const window of [null, 10]) {
        const queries = [line(cached, length), short];
        const keys = queries.map((own) => Int32Array.of(...line(0, cached), ...own));
        const values = attentionMask({ queries, keys, window }) as Float32Array;
        const mask = tf.tensor4d(values, [2, 1, length, cached + length]);
        // The cached keys lie in a block of their own, and then in one block with the new ones.
        for (const sizes of [[cached, length], [cached + length]]) {
          seed = 77;
          const blocks = sizes.map((n) => ({
            k: normal<tf.Tensor4D>(2, 1, n, 8),
            v: normal<tf.Tensor4D>(2, 1, n, 8),
          }));
          const q = normal<tf.Tensor4D>(2, 2, length, 8);
          const inputs = { q, blocks, mask, softcap: null };
          const pieces = attention(inputs, true, 16);
          const whole = attentionValues(tf.softmax(attentionScores(inputs)), blocks);
          // Outputs of padding differ and are dropped.
          const real = (x: tf.Tensor): tf.Tensor[] => [
            tf.slice(x, [0], [1]),
            tf.slice(x, [1, 0, 0], [1, -1, 46]),
          ];
          for (const [i, piece] of real(pieces).entries()) {
            expect(await difference(piece, real(whole)[i]!)).toBeLessThan(1e-5);
          }
        }
      }
    }),
  );

  it(
    'a prefix shared by streams equals one copied for each',
    tidy(async () => {
      const q = normal<tf.Tensor4D>(6, 4, 3, 8);
      const shared = { k: normal<tf.Tensor4D>(2, 2, 9, 8), v: normal<tf.Tensor4D>(2, 2, 9, 8) };
      const index = tf.tensor1d([0, 0, 0, 1, 1, 1], 'int32');
      const copied = { k: tf.gather(shared.k, index), v: tf.gather(shared.v, index) };
      const run = (block: typeof shared): tf.Tensor => {
        const inputs = { q, blocks: [block], mask: undefined, softcap: null };
        return attentionValues(tf.softmax(attentionScores(inputs)), [block]);
      };
      expect(await difference(run(shared), run(copied))).toBeLessThan(1e-6);
    }),
  );

  it(
    'linear with a bias and low-rank deltas, and its gradient',
    tidy(async () => {
      const w = normal<tf.Tensor2D>(24, 40);
      const deltas = [
        { A: normal<tf.Tensor2D>(24, 3), B: normal<tf.Tensor2D>(3, 40), scale: 0.5 },
        {
          A: normal<tf.Tensor2D>(24, 3),
          B: normal<tf.Tensor2D>(3, 40),
          scale: tf.tensor2d([[0], [1], [2]]),
        },
      ];
      const x = normal<tf.Tensor2D>(3, 24);
      const bias = normal<tf.Tensor1D>(40);
      const y = linear({ x, w, bias, deltas });
      const sum = tf.add(
        tf.add(tf.matMul(x, w), bias),
        tf.mul(tf.matMul(tf.matMul(x, deltas[0]!.A), deltas[0]!.B), 0.5),
      );
      const second = tf.matMul(tf.matMul(x, deltas[1]!.A), deltas[1]!.B);
      expect(await difference(y, tf.add(sum, tf.mul(second, deltas[1]!.scale)))).toBeLessThan(1e-4);
      expect(
        await slopeError((own) => linear({ x: own as tf.Tensor2D, w, bias, deltas }), x),
      ).toBeLessThan(0.01);
      const transposed = linear({ x, w: tf.transpose(w) as tf.Tensor2D, bias, transposed: true });
      expect(await difference(transposed, linear({ x, w, bias }))).toBeLessThan(1e-5);
    }),
  );
});
