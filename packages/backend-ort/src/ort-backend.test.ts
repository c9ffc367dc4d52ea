import { useBackend } from '@safeinfer/backend';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import type { OrtBackend } from './ort-backend.ts';

/** Reproducible values in [-1, 1), exact in fp32. */
function values(size: number, seed: number): Float32Array {
  let state = seed >>> 0;
  return Float32Array.from({ length: size }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

const tensor = (shape: number[], seed: number): tf.Tensor =>
  tf.tensor(
    values(
      shape.reduce((size, length) => size * length, 1),
      seed,
    ),
    shape,
  );

/** Largest difference between what `fn` gives on `ort` and on tfjs-cpu. */
async function differenceToCpu(fn: () => tf.Tensor): Promise<number> {
  const results: Float32Array[] = [];
  for (const name of ['cpu', 'ort'] as const) {
    await useBackend({ name });
    const before = tf.memory().numTensors;
    const out = tf.tidy(fn);
    results.push(Float32Array.from(out.dataSync()));
    out.dispose();
    expect(tf.memory().numTensors).toBe(before);
  }
  const [cpu, ort] = results as [Float32Array, Float32Array];
  expect(ort.length).toBe(cpu.length);
  return cpu.reduce((worst, value, index) => Math.max(worst, Math.abs(value - ort[index]!)), 0);
}

describe('products on ort', () => {
  const shapes = [
    { a: [40, 50], b: [50, 60] },
    { a: [2, 40, 50], b: [3, 2, 50, 60] },
    { a: [4, 17, 33], b: [33, 65] },
    { a: [1, 64], b: [64, 1000] },
  ];
  for (const { a, b } of shapes) {
    for (const [ta, tb] of [
      [false, false],
      [true, false],
      [false, true],
      [true, true],
    ] as const) {
      const flip = (shape: number[], on: boolean): number[] =>
        on ? [...shape.slice(0, -2), shape.at(-1)!, shape.at(-2)!] : shape;
      it(`equals cpu for [${a}] x [${b}], transposed ${ta} ${tb}`, async () => {
        const worst = await differenceToCpu(() =>
          tf.matMul(tensor(flip(a, ta), 1), tensor(flip(b, tb), 2), ta, tb),
        );
        expect(worst).toBeLessThan(2e-5);
      });
    }
  }

  it('equals cpu for fused bias and every activation', async () => {
    for (const activation of ['linear', 'relu', 'relu6', 'elu', 'sigmoid', 'leakyrelu'] as const) {
      const worst = await differenceToCpu(() =>
        tf.fused.matMul({
          a: tensor([70, 80], 3) as tf.Tensor2D,
          b: tensor([80, 90], 4) as tf.Tensor2D,
          bias: tensor([90], 5),
          activation,
          leakyreluAlpha: 0.1,
        }),
      );
      expect(worst).toBeLessThan(2e-5);
    }
  });
});

describe('large operands on ort equal cpu', () => {
  const cases: Record<string, () => tf.Tensor> = {
    'row and column broadcast': () =>
      tf.div(tf.sub(tensor([200, 300], 1), tensor([300], 2)), tf.add(tensor([200, 1], 3), 3)),
    'chains of transcendental functions': () =>
      tf.tanh(tf.add(tf.exp(tensor([100, 100], 1)), tf.sigmoid(tensor([100, 100], 2)))),
    softmax: () => tf.softmax(tf.mul(tensor([30, 1000], 1), 20)),
    'log softmax': () => tf.logSoftmax(tf.mul(tensor([30, 1000], 1), 20)),
    'sums over any axes': () => tf.sum(tensor([20, 30, 40], 1), [0, 2]),
    'means over the first axis': () => tf.mean(tensor([200, 300], 1), 0),
    'largest over the last': () => tf.max(tensor([20, 3000], 1), -1),
    transposition: () => tf.transpose(tensor([12, 30, 50, 4], 1), [2, 0, 3, 1]),
    'heads and tokens swapped': () => tf.transpose(tensor([3, 50, 12, 16], 1), [0, 2, 1, 3]),
    'slices, pads and tiles': () =>
      tf.tile(
        tf.pad(tf.slice(tensor([9, 40, 30], 1), [2, 3, 4], [5, 30, 20]), [
          [1, 0],
          [0, 2],
          [3, 4],
        ]),
        [2, 1, 3],
      ),
    'concatenation along any axis': () =>
      tf.concat([tensor([4, 9, 40], 1), tensor([4, 5, 40], 2)], 1),
    'look-ups along an inner axis': () =>
      tf.gather(tensor([6, 50, 40], 1), tf.tensor1d([49, 0, 7, 7], 'int32'), 1),
    'choice by a condition': () =>
      tf.where(tf.greater(tensor([90, 100], 1), 0), tensor([90, 100], 2), tensor([90, 100], 3)),
  };
  for (const [name, fn] of Object.entries(cases)) {
    it(name, async () => {
      expect(await differenceToCpu(fn)).toBeLessThan(2e-5);
    });
  }

  it('NaN and infinity survive native kernels', async () => {
    await useBackend({ name: 'ort' });
    const x = values(20_000, 1);
    x[7777] = Number.NaN;
    const ops = {
      exp: tf.exp,
      tanh: tf.tanh,
      sigmoid: tf.sigmoid,
      erf: tf.erf,
      relu: tf.relu,
      sqrt: tf.sqrt,
      log: tf.log,
    };
    for (const [name, op] of Object.entries(ops)) {
      const out = tf.tidy(() => op(tf.tensor1d(x)).dataSync());
      expect([name, out[7777]]).toEqual([name, Number.NaN]);
    }
    const row = tf.tidy(() => tf.softmax(tf.tensor2d(x, [20, 1000])).dataSync());
    expect(row[7500]).toBeNaN();
    expect(row[6500]).not.toBeNaN();
    expect(tf.tidy(() => tf.exp(tf.mul(tf.tensor1d(x), 1000)).dataSync())).toContain(
      Number.POSITIVE_INFINITY,
    );
    expect(tf.tidy(() => tf.max(tf.tensor1d(x)).dataSync())[0]).toBeNaN();
  });
});

describe('constant weights', () => {
  const shape: [number, number] = [256, 512];
  const original = values(shape[0] * shape[1], 11);
  original[5] = -0;
  original[6] = 0;

  beforeAll(async () => {
    await useBackend({ name: 'ort' });
  });

  const record = (w: tf.Tensor) => (tf.backend() as OrtBackend).record(w.dataId);

  function settle(w: tf.Tensor2D, x: tf.Tensor2D, transposed = false): Float32Array {
    let last = new Float32Array();
    for (let step = 0; step < 12; step++) {
      last = tf.tidy(() => Float32Array.from(tf.matMul(x, w, false, transposed).dataSync()));
    }
    return last;
  }

  it('move into a session after a few products, change no result, and are read back bit for bit', () => {
    for (const transposed of [false, true]) {
      const before = tf.memory().numTensors;
      const w = tf.tensor2d(original.slice(), shape);
      const x = tf.tensor2d(values(2 * (transposed ? 512 : 256), 7), [2, transposed ? 512 : 256]);
      const first = tf.tidy(() => tf.matMul(x, w, false, transposed).dataSync());
      const later = settle(w, x, transposed);
      expect(record(w).packed).toBeDefined();
      const worst = later.reduce(
        (most, value, i) => Math.max(most, Math.abs(value - first[i]!)),
        0,
      );
      // Two orders of summation of 256 to 512 products of size 1.
      expect(worst).toBeLessThan(5e-5);
      const back = w.dataSync();
      expect(back.every((value, i) => Object.is(value, original[i]))).toBe(true);
      expect(record(w).packed).toBeDefined();
      w.dispose();
      x.dispose();
      expect(tf.memory().numTensors).toBe(before);
    }
  });

  it('come back as arrays when other operations need them again and again, and settle later', () => {
    const w = tf.tensor2d(original.slice(), shape);
    const x = tf.tensor2d(values(256, 7), [1, 256]);
    const before = settle(w, x);
    const packed = record(w).packed;
    const check = (): void => {
      const more = tf.add(w, 1);
      expect(more.dataSync()[9]).toBe(Math.fround(original[9]! + 1));
      more.dispose();
    };
    for (let read = 0; read < 2; read++) {
      check();
      expect(record(w).packed).toBe(packed);
    }
    check();
    expect(record(w).packed).toBeUndefined();
    check();
    expect(settle(w, x)).toEqual(before);
    expect(record(w).packed).toBeDefined();
    tf.dispose([w, x]);
  });

  it('keep their array beside the session when rows are looked up in them', () => {
    const w = tf.tensor2d(original.slice(), shape);
    const x = tf.tensor2d(values(512, 7), [1, 512]);
    settle(w, x, true);
    for (let step = 0; step < 3; step++) {
      const rows = tf.gather(w, tf.tensor1d([3], 'int32'));
      expect(rows.dataSync()[1]).toBe(original[3 * 512 + 1]);
      rows.dispose();
      expect(record(w).packed).toBeDefined();
    }
    tf.dispose([w, x]);
  });

  it('are not packed when they hold NaN: the product must show it', () => {
    const broken = original.slice();
    broken[300] = Number.NaN;
    const w = tf.tensor2d(broken, shape);
    const x = tf.tensor2d(values(256, 7), [1, 256]);
    expect(settle(w, x)[300]).toBeNaN();
    expect(record(w).packed).toBeUndefined();
    tf.dispose([w, x]);
  });

  it('train: gradients flow through a packed weight, and an assigned one is used at once', () => {
    const w = tf.variable(tf.tensor2d(original.slice(), shape));
    const x = tf.tensor2d(values(256, 7), [1, 256]);
    settle(w as tf.Tensor2D, x);
    const { value, grads } = tf.variableGrads(() => tf.sum(tf.matMul(x, w as tf.Tensor2D)), [w]);
    expect(grads[w.name]!.dataSync()[0]).toBeCloseTo(x.dataSync()[0]!, 6);
    const zeros = tf.zerosLike(w);
    w.assign(zeros);
    expect(settle(w as tf.Tensor2D, x).every((y) => y === 0)).toBe(true);
    tf.dispose([value, grads, zeros, x]);
    w.dispose();
  });
});

describe('memory', () => {
  it('reuses an output only after nobody can hold its array', async () => {
    await useBackend({ name: 'ort' });
    const a = tf.tensor1d(values(1000, 1));
    const sum = tf.add(a, a);
    const held = sum.dataSync();
    const copy = Float32Array.from(held);
    sum.dispose();
    const other = tf.mul(a, 3);
    expect(held).toEqual(copy);
    const view = tf.reshape(tf.add(a, 1), [10, 100]);
    tf.dispose([a, other]);
    const next = tf.add(view, 1);
    expect(next.dataSync()[0]).toBeCloseTo(view.dataSync()[0]! + 1, 6);
    tf.dispose([view, next]);
  });

  it('refuses a tensor that cannot be allocated with a typed error', async () => {
    await useBackend({ name: 'ort' });
    const a = tf.ones([70_000, 1]);
    const b = tf.ones([1, 70_000]);
    expect(() => tf.add(a, b)).toThrowError(expect.objectContaining({ code: 'ALLOCATION_LIMIT' }));
    tf.dispose([a, b]);
  });
});
