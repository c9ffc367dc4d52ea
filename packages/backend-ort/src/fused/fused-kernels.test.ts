import { type FusedActivation, runFused, runFusedHeads, useBackend } from '@safeinfer/backend';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';

const normal = (shape: number[], seed: number): tf.Tensor =>
  tf.randomNormal(shape, 0, 1, 'float32', seed);

/** Largest difference between a fused kernel and the operations it stands for. */
function difference(fused: () => tf.Tensor | undefined, composed: () => tf.Tensor): number {
  return tf.tidy(() => {
    const a = fused();
    if (a === undefined) throw new Error('the kernel is not registered');
    const b = composed();
    expect(a.shape).toEqual(b.shape);
    return tf.max(tf.abs(tf.sub(a, b))).dataSync()[0]!;
  });
}

describe('fused kernels equal their compositions', () => {
  beforeAll(async () => {
    await useBackend({ name: 'ort' });
  });

  for (const rows of [2, 64]) {
    for (const kind of ['rms', 'layer'] as const) {
      for (const biased of [false, true]) {
        it(`${kind} norm of ${rows} rows, bias ${biased}`, () => {
          const x = normal([rows, 320], 1);
          const gain = normal([320], 2);
          const bias = normal([320], 3);
          const worst = difference(
            () =>
              runFused('SafeInferNorm', biased ? { x, gain, bias } : { x, gain }, {
                kind,
                eps: 1e-5,
                gainOffset: 1,
              }),
            () => {
              const c = kind === 'rms' ? x : tf.sub(x, tf.mean(x, -1, true));
              const scale = tf.sqrt(tf.add(tf.mean(tf.square(c), -1, true), 1e-5));
              const y = tf.mul(tf.div(c, scale), tf.add(gain, 1));
              return biased ? tf.add(y, bias) : y;
            },
          );
          expect(worst).toBeLessThan(1e-5);
          tf.dispose([x, gain, bias]);
        });
      }
    }
  }

  const composed: Record<FusedActivation, (x: tf.Tensor) => tf.Tensor> = {
    gelu: (x) => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1)),
    gelu_tanh: (x) =>
      tf.mul(
        tf.mul(x, 0.5),
        tf.add(
          tf.tanh(tf.mul(tf.add(x, tf.mul(tf.pow(x, 3), 0.044715)), Math.sqrt(2 / Math.PI))),
          1,
        ),
      ),
    quick_gelu: (x) => tf.mul(x, tf.sigmoid(tf.mul(x, 1.702))),
    silu: (x) => tf.mul(x, tf.sigmoid(x)),
    relu: (x) => tf.relu(x),
  };
  for (const [name, compose] of Object.entries(composed)) {
    for (const size of [100, 5000]) {
      it(`${name} of ${size} values, alone and as a gate`, () => {
        const activation = name as FusedActivation;
        const x = tf.mul(normal([size], 4), 3);
        const up = normal([size], 5);
        const alone = difference(
          () => runFused('SafeInferActivation', { x }, { activation }),
          () => compose(x),
        );
        const gated = difference(
          () => runFused('SafeInferGate', { gate: x, up }, { activation }),
          () => tf.mul(compose(x), up),
        );
        expect(Math.max(alone, gated)).toBeLessThan(1e-5);
        tf.dispose([x, up]);
      });
    }
  }

  const layouts = {
    'partial and neighbouring pairs': [
      [0, 1],
      [2, 3],
    ],
    halves: [0, 1, 2, 3].map((i) => [i, i + 4]),
    'partial halves': [0, 1].map((i) => [i, i + 2]),
  } as Record<string, [number, number][]>;
  it.each(Object.entries(layouts))('rotary embedding, %s', (_, list) => {
    const pairs = tf.buffer([8, 8]);
    for (const [a, b] of list) {
      pairs.set(-1, b, a);
      pairs.set(1, a, b);
    }
    const p = pairs.toTensor();
    const x = normal([5, 3, 8], 6);
    const cos = normal([5, 1, 8], 7);
    const sin = normal([5, 1, 8], 8);
    const worst = difference(
      () => runFused('SafeInferRope', { x, cos, sin, pairs: p }, {}),
      () => {
        const turned = tf.reshape(tf.matMul(tf.reshape(x, [15, 8]), p as tf.Tensor2D), [5, 3, 8]);
        return tf.add(tf.mul(x, cos), tf.mul(turned, sin));
      },
    );
    expect(worst).toBeLessThan(1e-5);
    tf.dispose([p, x, cos, sin]);
  });

  for (const { group, length, keys, masked, softcap } of [
    { group: 1, length: 1, keys: [9], masked: false, softcap: 0 },
    { group: 1, length: 4, keys: [5, 4], masked: true, softcap: 0 },
    { group: 3, length: 1, keys: [7, 2, 1], masked: true, softcap: 2 },
    { group: 3, length: 4, keys: [6], masked: true, softcap: 0 },
    { group: 3, length: 4, keys: [6, 1], masked: false, softcap: 5 },
    { group: 2, length: 5, keys: [3, 6], masked: true, softcap: 0 },
  ]) {
    it(`attention: groups of ${group}, ${length} queries, keys ${keys}, mask ${masked}, cap ${softcap}`, () => {
      const [streams, kv, width] = [2, 2, 16];
      const q = normal([streams, kv * group, length, width], 1);
      const total = keys.reduce((sum, n) => sum + n, 0);
      const blocks: Record<string, tf.Tensor> = {};
      keys.forEach((n, i) => {
        blocks[`k${i}`] = normal([streams, kv, n, width], 10 + i);
        blocks[`v${i}`] = normal([streams, kv, n, width], 20 + i);
      });
      const mask = tf.mul(
        tf.cast(tf.greater(normal([streams, 1, length, total], 30), 0.7), 'float32'),
        -1e9,
      );
      const worst = difference(
        () =>
          runFused(
            'SafeInferAttention',
            { q, ...blocks, ...(masked ? { mask } : {}) },
            { blocks: keys.length, softcap },
          ),
        () => {
          const side = (name: string): tf.Tensor => {
            const joined = tf.concat(
              keys.map((_, i) => blocks[`${name}${i}`]!),
              2,
            );
            const repeated = tf.tile(tf.expandDims(joined, 2), [1, 1, group, 1, 1]);
            return tf.reshape(repeated, [streams, kv * group, total, width]);
          };
          let scores = tf.matMul(q, side('k'), false, true);
          if (softcap > 0) scores = tf.mul(tf.tanh(tf.div(scores, softcap)), softcap);
          if (masked) scores = tf.add(scores, mask);
          return tf.matMul(tf.softmax(scores), side('v'));
        },
      );
      expect(worst).toBeLessThan(1e-5);
      tf.dispose([q, mask, blocks]);
    });
  }

  it('are not used while a gradient is recorded', () => {
    const slope = tf.tidy(() =>
      tf
        .grad((x) => {
          expect(runFused('SafeInferActivation', { x }, { activation: 'relu' })).toBeUndefined();
          return tf.sum(tf.relu(x));
        })(tf.tensor1d([-1, 2]))
        .dataSync(),
    );
    expect([...slope]).toEqual([0, 1]);
  });
});

describe('fused halves of a block equal their parts', () => {
  beforeAll(async () => {
    await useBackend({ name: 'ort' });
  });

  const norm = { kind: 'rms', eps: 1e-5, gainOffset: 0 } as const;
  for (const rows of [1, 3, 70]) {
    it(`projections, MLP and sum for ${rows} tokens, twelve times (packed from the third on)`, () => {
      const small = (shape: number[], seed: number): tf.Tensor =>
        tf.tidy(() => tf.mul(normal(shape, seed), 0.06));
      const x = normal([rows, 256], 1);
      const gain = normal([256], 2);
      const [wQ, wK, wV] = [small([256, 256], 3), small([256, 128], 4), small([256, 128], 5)];
      const bQ = normal([256], 6);
      const [wGate, wIn, wOut] = [small([256, 320], 7), small([256, 320], 8), small([320, 256], 9)];
      const bOut = normal([256], 10);
      const before = tf.memory().numTensors;
      for (let turn = 0; turn < 12; turn++) {
        tf.tidy(() => {
          const n = runFused('SafeInferNorm', { x, gain }, norm)!;
          const many = runFusedHeads(
            { x, gain, wQ, wK, wV, bQ },
            { ...norm, nHeads: 8, nKvHeads: 4, scale: 0.5 },
          )!;
          const q = tf.mul(tf.add(tf.matMul(n, wQ), bQ), 0.5);
          const parts = [q, tf.matMul(n, wK), tf.matMul(n, wV)];
          for (const [i, part] of parts.entries()) {
            const shape = [rows, i === 0 ? 8 : 4, 32];
            expect(many[i]!.shape).toEqual(shape);
            expect(
              tf.max(tf.abs(tf.sub(many[i]!, tf.reshape(part, shape)))).dataSync()[0],
            ).toBeLessThan(2e-5);
          }
          const mlp = runFused(
            'SafeInferMlp',
            { x, gain, wGate, wIn, wOut, bOut },
            { ...norm, activation: 'silu' },
          )!;
          const pre = tf.matMul(n, wGate);
          const post = tf.mul(tf.mul(pre, tf.sigmoid(pre)), tf.matMul(n, wIn));
          const expected = tf.add(x, tf.add(tf.matMul(post, wOut), bOut));
          expect(tf.max(tf.abs(tf.sub(mlp, expected))).dataSync()[0]).toBeLessThan(2e-5);
          const sum = runFused('SafeInferAddProduct', { x, y: post, w: wOut, bias: bOut }, {})!;
          expect(tf.max(tf.abs(tf.sub(sum, expected))).dataSync()[0]).toBeLessThan(2e-5);
        });
        expect(tf.memory().numTensors).toBe(before);
      }
      tf.dispose([x, gain, wQ, wK, wV, bQ, wGate, wIn, wOut, bOut]);
    });
  }

  for (const rows of [1, 5, 70]) {
    it(`with low-rank changes of ${rows} tokens, some of them in part; others keep their bits`, () => {
      const small = (shape: number[], seed: number): tf.Tensor =>
        tf.tidy(() => tf.mul(normal(shape, seed), 0.06));
      const x = normal([rows, 256], 1);
      const gain = normal([256], 2);
      const [wQ, wK, wV] = [small([256, 256], 3), small([256, 128], 4), small([256, 128], 5)];
      const lowRank = (out: number, seed: number) => ({
        A: small([256, 8], seed) as tf.Tensor2D,
        B: normal([8, out], seed + 1) as tf.Tensor2D,
      });
      const [dQ, dV] = [lowRank(256, 11), lowRank(128, 13)];
      const column = tf.tensor2d(
        Array.from({ length: rows }, (_, row) => (row % 2 === 0 ? 0.5 : 0)),
        [rows, 1],
      );
      const attrs = { ...norm, nHeads: 8, nKvHeads: 4, scale: 1 };
      const inputs = { x, gain, wQ, wK, wV };
      tf.tidy(() => {
        const base = runFusedHeads(inputs, attrs)!;
        const changed = runFusedHeads(inputs, attrs, {
          wQ: [{ ...dQ, scale: column }],
          wV: [
            { ...dV, scale: column },
            { ...dV, scale: 2 },
          ],
        })!;
        const n = runFused('SafeInferNorm', { x, gain }, norm)!;
        const delta = ({ A, B }: typeof dQ): tf.Tensor => tf.matMul(tf.matMul(n, A), B);
        const flat = (t: tf.Tensor): tf.Tensor => tf.reshape(t, [rows, -1]);
        const error = (got: tf.Tensor, want: tf.Tensor): number =>
          tf.max(tf.abs(tf.sub(flat(got), want))).dataSync()[0]!;
        const q = tf.add(flat(base[0]), tf.mul(delta(dQ), column));
        const v = tf.add(flat(base[2]), tf.mul(delta(dV), tf.add(column, 2)));
        expect(error(changed[0], q)).toBeLessThan(5e-5);
        expect(error(changed[2], v)).toBeLessThan(1e-4);
        // Negative control: the same comparison sees a missing delta.
        expect(error(changed[0], flat(base[0]))).toBeGreaterThan(0.1);
        expect(changed[1].dataSync()).toEqual(base[1].dataSync());
        for (let row = 1; row < rows; row += 2) {
          const line = (t: tf.Tensor): unknown => tf.slice(flat(t), [row, 0], [1, -1]).dataSync();
          expect(line(changed[0])).toEqual(line(base[0]));
        }
      });
      tf.dispose([x, gain, wQ, wK, wV, dQ, dV, column]);
    });
  }
});
