import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { type FusedActivation, runFused, runFusedHeads } from '../fused-kernels.ts';
import { availableBackends } from '../testing/available-backends.ts';
import { useBackend } from '../use-backend.ts';

const native = (await availableBackends()).includes('tfjs-node');

const normal = (shape: number[], seed: number): tf.Tensor =>
  tf.randomNormal(shape, 0, 1, 'float32', seed);
const small = (shape: number[], seed: number): tf.Tensor => tf.mul(normal(shape, seed), 0.06);

const COMPOSED: Readonly<Record<FusedActivation, (x: tf.Tensor) => tf.Tensor>> = {
  gelu: (x) => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1)),
  gelu_tanh: (x) =>
    tf.mul(
      tf.mul(x, 0.5),
      tf.add(tf.tanh(tf.mul(tf.add(x, tf.mul(tf.pow(x, 3), 0.044715)), Math.sqrt(2 / Math.PI))), 1),
    ),
  quick_gelu: (x) => tf.mul(x, tf.sigmoid(tf.mul(x, 1.702))),
  silu: (x) => tf.mul(x, tf.sigmoid(x)),
  relu: (x) => tf.relu(x),
};

function composedNorm(x: tf.Tensor, gain: tf.Tensor, bias: tf.Tensor | undefined, rms: boolean) {
  const c = rms ? x : tf.sub(x, tf.mean(x, -1, true));
  const y = tf.mul(tf.div(c, tf.sqrt(tf.add(tf.mean(tf.square(c), -1, true), 1e-5))), gain);
  return bias === undefined ? y : tf.add(y, bias);
}

/** Fails where the two differ by `tolerance`, or where tensors are left behind. */
function same(make: () => [tf.Tensor | undefined, tf.Tensor], tolerance = 1e-5): void {
  const before = tf.memory();
  tf.tidy(() => {
    const [a, b] = make();
    expect(a?.shape).toEqual(b.shape);
    expect(tf.max(tf.abs(tf.sub(a!, b))).dataSync()[0]).toBeLessThan(tolerance);
  });
  expect(tf.memory().numTensors).toBe(before.numTensors);
  expect(tf.memory().numDataBuffers).toBe(before.numDataBuffers);
}

// Runs where tools/native-tf has built the addon. The row numbers lie on both sides of every loop's limit.
describe.runIf(native)('fused kernels of tfjs-node equal their compositions', () => {
  beforeAll(async () => {
    await useBackend({ name: 'tfjs-node' });
  });

  for (const rows of [1, 3, 200]) {
    it.each(['rms', 'layer'] as const)(`%s norm of ${rows} rows`, (kind) => {
      for (const biased of [false, true]) {
        same(() => {
          const [x, gain, bias] = [normal([rows, 256], 1), normal([256], 2), normal([256], 3)];
          const attrs = { kind, eps: 1e-5, gainOffset: 1 };
          const inputs = biased ? { x, gain, bias } : { x, gain };
          const shifted = tf.add(gain, 1);
          return [
            runFused('SafeInferNorm', inputs, attrs),
            composedNorm(x, shifted, biased ? bias : undefined, kind === 'rms'),
          ];
        });
      }
    });

    it.each(Object.keys(COMPOSED) as FusedActivation[])(`%s of ${rows} rows`, (activation) => {
      const x = tf.tidy(() => tf.mul(normal([rows, 96], 4), 3));
      const up = normal([rows, 96], 5);
      const compose = COMPOSED[activation];
      same(() => [runFused('SafeInferActivation', { x }, { activation }), compose(x)]);
      same(() => [
        runFused('SafeInferGate', { gate: x, up }, { activation }),
        tf.mul(compose(x), up),
      ]);
      tf.dispose([x, up]);
    });

    it(`rotary embedding of ${rows} tokens, neighbouring pairs and a part that stays`, () => {
      const pairs = tf.buffer([8, 8]);
      for (const [a, b] of [
        [0, 1],
        [2, 3],
      ] as const) {
        pairs.set(-1, b, a);
        pairs.set(1, a, b);
      }
      same(() => {
        const p = pairs.toTensor();
        const x = normal([rows, 24, 8], 6);
        const [cos, sin] = [normal([rows, 1, 8], 7), normal([rows, 1, 8], 8)];
        const turned = tf.reshape(tf.matMul(tf.reshape(x, [-1, 8]), p), x.shape);
        return [
          runFused('SafeInferRope', { x, cos, sin, pairs: p }, {}),
          tf.add(tf.mul(x, cos), tf.mul(turned, sin)),
        ];
      });
    });

    it(`halves of a block of ${rows} tokens`, () => {
      const attrs = { kind: 'rms', eps: 1e-5, gainOffset: 0 } as const;
      const head = { ...attrs, nHeads: 8, nKvHeads: 4, scale: 0.3 };
      const input = () => ({ x: normal([rows, 256], 1), gain: normal([256], 2) });
      const bQ = normal([256], 6);
      for (const [i, out] of [256, 128, 128].entries()) {
        same(() => {
          const { x, gain } = input();
          const w = [small([256, 256], 3), small([256, 128], 4), small([256, 128], 5)] as const;
          const made = runFusedHeads({ x, gain, wQ: w[0], wK: w[1], wV: w[2], bQ }, head)!;
          let y = tf.matMul(composedNorm(x, gain, undefined, true), w[i]!);
          if (i === 0) y = tf.mul(tf.add(y, bQ), 0.3);
          return [made[i], tf.reshape(y, [rows, out / 32, 32])];
        });
      }
      for (const gated of [false, true]) {
        same(() => {
          const { x, gain } = input();
          const [wGate, wIn, wOut] = [7, 8, 9].map((seed) => small([256, 256], seed));
          const inputs = { x, gain, wIn: wIn!, wOut: wOut!, bIn: bQ, bOut: bQ };
          const n = composedNorm(x, gain, undefined, true);
          const up = tf.add(tf.matMul(n, wIn!), bQ);
          const post = gated ? tf.mul(COMPOSED.silu(tf.matMul(n, wGate!)), up) : COMPOSED.silu(up);
          return [
            runFused('SafeInferMlp', gated ? { ...inputs, wGate: wGate! } : inputs, {
              ...attrs,
              activation: 'silu',
            }),
            tf.add(x, tf.add(tf.matMul(post, wOut!), bQ)),
          ];
        }, 3e-5);
      }
      bQ.dispose();
    });

    it(`a low-rank change of ${rows} tokens leaves the others' bits`, () => {
      tf.tidy(() => {
        const [x, y, w] = [normal([rows, 64], 1), normal([rows, 64], 2), small([64, 64], 3)];
        const column = tf.tensor2d(
          Array.from({ length: rows }, (_, row) => (row % 2 === 0 ? 0.5 : 0)),
          [rows, 1],
        );
        const [A, B] = [small([64, 4], 4) as tf.Tensor2D, normal([4, 64], 5) as tf.Tensor2D];
        const deltas = { w: [{ A, B, scale: column }] };
        const plain = runFused('SafeInferAddProduct', { x, y, w }, {})!;
        const changed = runFused('SafeInferAddProduct', { x, y, w }, {}, deltas)!;
        const product = tf.matMul(y, w);
        const apart = runFused('SafeInferAddLowRank', { x: y, y: product }, {}, deltas)!;
        // What a hook inside would make of it, one operation after the other.
        expect(changed.dataSync()).toEqual(tf.add(x, apart).dataSync());
        expect(tf.max(tf.abs(tf.sub(changed, plain))).dataSync()[0]).toBeGreaterThan(0.05);
        for (let row = 1; row < Math.min(rows, 8); row += 2) {
          const line = (t: tf.Tensor) => tf.slice(t, [row, 0], [1, -1]).dataSync();
          expect(line(changed)).toEqual(line(plain));
        }
      });
    });
  }

  for (const { group, length, keys, masked, softcap } of [
    { group: 1, length: 1, keys: [9], masked: false, softcap: 0 },
    { group: 3, length: 1, keys: [7, 2, 1], masked: true, softcap: 2 },
    { group: 3, length: 4, keys: [6, 1], masked: true, softcap: 0 },
    { group: 2, length: 40, keys: [100, 40], masked: true, softcap: 5 },
    { group: 1, length: 60, keys: [90], masked: false, softcap: 0 },
  ]) {
    it(`attention: groups of ${group}, ${length} queries, keys ${keys}, cap ${softcap}`, () => {
      const [streams, kv, width] = [2, 2, 16];
      const total = keys.reduce((sum, n) => sum + n, 0);
      same(() => {
        const q = normal([streams, kv * group, length, width], 1);
        const blocks: Record<string, tf.Tensor> = {};
        keys.forEach((n, i) => {
          blocks[`k${i}`] = normal([streams, kv, n, width], 10 + i);
          blocks[`v${i}`] = normal([streams, kv, n, width], 20 + i);
        });
        const hidden = tf.greater(normal([streams, 1, length, total], 30), 0.7);
        const mask = tf.mul(tf.cast(hidden, 'float32'), -1e9);
        const side = (name: string): tf.Tensor => {
          const parts = keys.map((_, i) => blocks[`${name}${i}`]!);
          const repeated = tf.tile(tf.expandDims(tf.concat(parts, 2), 2), [1, 1, group, 1, 1]);
          return tf.reshape(repeated, [streams, kv * group, total, width]);
        };
        let scores = tf.matMul(q, side('k'), false, true);
        if (softcap > 0) scores = tf.mul(tf.tanh(tf.div(scores, softcap)), softcap);
        if (masked) scores = tf.add(scores, mask);
        const inputs = { q, ...blocks, ...(masked ? { mask } : {}) };
        return [
          runFused('SafeInferAttention', inputs, { blocks: keys.length, softcap }),
          tf.matMul(tf.softmax(scores), side('v')),
        ];
      });
    });
  }

  it('few rows give the products that many give, with every transposition, alone and in batches', () => {
    for (const transposed of [0, 1, 2, 3]) {
      const [left, right] = [(transposed & 1) === 1, transposed > 1];
      for (const batch of [[], [1], [5]]) {
        same(() => {
          const a = normal([...batch, ...(left ? [40, 30] : [30, 40])], 1);
          const b = normal([...batch, ...(right ? [20, 40] : [40, 20])], 2);
          const rows = [...batch.map(() => 0), 0, 0];
          const size = [...batch.map(() => -1), ...(left ? [-1, 3] : [3, -1])];
          const few = tf.matMul(tf.slice(a, rows, size), b, left, right);
          const all = tf.matMul(a, b, left, right);
          return [few, tf.slice(all, rows, [...batch.map(() => -1), 3, -1])];
        });
      }
    }
  });

  it('a tensor whose values TensorFlow does not have yet is reshaped and both stay valid', () => {
    tf.tidy(() => {
      const x = tf.tensor1d([1, 2, 3, 4, 5, 6]);
      const y = tf.reshape(x, [2, 3]);
      expect(tf.add(y, 1).arraySync()).toEqual([
        [2, 3, 4],
        [5, 6, 7],
      ]);
      x.dispose();
      expect(tf.sum(y, 1).arraySync()).toEqual([6, 15]);
    });
  });
});
