import { useBackend } from '@safeinfer/backend';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OrtBackend } from '../ort-backend.ts';
import { BLOCK, dequantize, quantize } from './eight-bit.ts';

function normals(size: number, seed: number): Float32Array {
  return tf.tidy(() =>
    Float32Array.from(tf.randomNormal([size], 0, 1, 'float32', seed).dataSync()),
  );
}

describe('eight-bit weights', () => {
  beforeAll(async () => {
    await useBackend({ name: 'ort', weights: 'int8' });
  });
  afterAll(async () => {
    await useBackend({ name: 'ort' });
  });

  it('round each value by at most half a level of its block, in either layout, also short blocks', () => {
    const [inner, columns] = [300, 40];
    const values = normals(inner * columns, 1);
    for (const transposed of [false, true]) {
      const weight = quantize({ values, inner, columns, transposed });
      const back = dequantize(weight, transposed);
      for (let n = 0; n < columns; n++) {
        for (let k = 0; k < inner; k++) {
          const at = transposed ? n * inner + k : k * columns + n;
          const scale = weight.scales[n * Math.ceil(inner / BLOCK) + Math.floor(k / BLOCK)]!;
          expect(Math.abs(values[at]! - back[at]!)).toBeLessThanOrEqual(scale * 0.5001);
        }
      }
    }
  });

  it('give products within 1.5 % of the exact ones, and say what rounding the weights cost', () => {
    const [inner, columns] = [768, 512];
    const w = tf.tensor2d(normals(inner * columns, 2), [inner, columns]);
    for (const rows of [1, 3, 100]) {
      const x = tf.tensor2d(normals(rows * inner, 3), [rows, inner]);
      const y = tf.tidy(() => Float32Array.from(tf.matMul(x, w).dataSync()));
      const exact = exactProduct({
        x: x.dataSync() as Float32Array,
        w: normals(inner * columns, 2),
        rows,
        inner,
        columns,
      });
      let errors = 0;
      let squares = 0;
      for (const [i, value] of exact.entries()) {
        errors += (y[i]! - value) ** 2;
        squares += value ** 2;
      }
      const relative = Math.sqrt(errors / squares);
      expect(relative).toBeLessThan(0.015);
      // The negative control: these are not the fp32 kernels.
      expect(relative).toBeGreaterThan(1e-4);
      x.dispose();
    }
    const cost = (tf.backend() as OrtBackend).weightRoundingError();
    expect(cost).toBeGreaterThan(0.001);
    expect(cost).toBeLessThan(0.01);
    w.dispose();
  });

  it('are what reading the weight gives from then on', () => {
    const w = tf.tensor2d(normals(256 * 256, 4), [256, 256]);
    const x = tf.ones<tf.Rank.R2>([1, 256]);
    const before = Float32Array.from(w.dataSync());
    tf.matMul(x, w).dispose();
    const after = w.dataSync();
    expect(after.some((value, i) => value !== before[i])).toBe(true);
    const expected = dequantize(
      quantize({ values: before, inner: 256, columns: 256, transposed: false }),
      false,
    );
    expect(after).toEqual(expected);
    tf.dispose([w, x]);
  });

  it('are refused by name where no kernel computes with them', async () => {
    await expect(useBackend({ name: 'ort', weights: 'bf16' })).rejects.toMatchObject({
      code: 'BACKEND_UNAVAILABLE',
    });
    await expect(useBackend({ name: 'cpu', weights: 'int8' })).rejects.toMatchObject({
      code: 'BACKEND_UNAVAILABLE',
    });
    await useBackend({ name: 'ort', weights: 'int8' });
  });
});

function exactProduct(sides: {
  readonly x: Float32Array;
  readonly w: Float32Array;
  readonly rows: number;
  readonly inner: number;
  readonly columns: number;
}): Float64Array {
  const { x, w, rows, inner, columns } = sides;
  const out = new Float64Array(rows * columns);
  for (let m = 0; m < rows; m++) {
    for (let k = 0; k < inner; k++) {
      for (let n = 0; n < columns; n++) {
        out[m * columns + n]! += x[m * inner + k]! * w[k * columns + n]!;
      }
    }
  }
  return out;
}
