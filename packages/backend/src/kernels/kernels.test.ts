import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { describeOnBackends } from '../testing/describe-on-backends.ts';

/** Naive product in double precision of [.., M, K] and [.., K, N] after transposition, batches equal. */
function product(a: number[][], b: number[][]): number[][] {
  return a.map((row) => b[0]!.map((_, n) => row.reduce((sum, x, k) => sum + x * b[k]![n]!, 0)));
}
const flip = (m: number[][]): number[][] => m[0]!.map((_, n) => m.map((row) => row[n]!));
const matrix = (rows: number, columns: number, seed: number): number[][] =>
  Array.from({ length: rows }, (_, r) =>
    Array.from({ length: columns }, (__, c) => Math.sin(seed + 31 * r + 17 * c)),
  );

await describeOnBackends('kernels', () => {
  it('multiply with every transposition, alone and in batches', async () => {
    for (const [rows, inner, columns] of [
      [3, 4, 5],
      [20, 40, 30],
    ] as const) {
      for (const ta of [false, true]) {
        for (const tb of [false, true]) {
          const as = [matrix(rows, inner, 1), matrix(rows, inner, 2)];
          const bs = [matrix(inner, columns, 3), matrix(inner, columns, 4)];
          const expected = as.map((a, i) => product(a, bs[i]!)).flat(2);
          const y = tf.tidy(() =>
            tf.matMul(
              tf.tensor3d(ta ? as.map(flip) : as),
              tf.tensor3d(tb ? bs.map(flip) : bs),
              ta,
              tb,
            ),
          );
          const values = await y.data();
          const worst = expected.reduce(
            (most, v, i) => Math.max(most, Math.abs(v - values[i]!)),
            0,
          );
          expect(worst).toBeLessThan(1e-4);
          y.dispose();
        }
      }
    }
  });

  it('add a bias to a product with a transposed side', async () => {
    const [a, b] = [matrix(20, 40, 1), matrix(40, 30, 2)];
    const bias = matrix(1, 30, 9)[0]!;
    const expected = product(a, b).flatMap((row) => row.map((v, n) => v + bias[n]!));
    const y = tf.tidy(() =>
      tf.fused.matMul({
        a: tf.tensor2d(a),
        b: tf.tensor2d(flip(b)),
        transposeB: true,
        bias: tf.tensor1d(bias),
      }),
    );
    const values = await y.data();
    expect(expected.every((v, i) => Math.abs(v - values[i]!) < 1e-4)).toBe(true);
    y.dispose();
  });

  it('sum rows by segment, dropping none', async () => {
    const y = tf.tidy(() =>
      tf.unsortedSegmentSum(
        tf.tensor2d([1, 2, 3, 4, 5, 6], [3, 2]),
        tf.tensor1d([2, 0, 2], 'int32'),
        4,
      ),
    );
    expect(Array.from(await y.data())).toEqual([3, 4, 0, 0, 6, 8, 0, 0]);
    y.dispose();
  });

  it('write updates into a copy of the input', async () => {
    const zeros = tf.zeros([4]);
    const y = tf.tidy(() =>
      tf.tensorScatterUpdate(zeros, tf.tensor2d([1, 3], [2, 1], 'int32'), tf.tensor1d([5, 6])),
    );
    expect(Array.from(await y.data())).toEqual([0, 5, 0, 6]);
    expect(Array.from(await zeros.data())).toEqual([0, 0, 0, 0]);
    tf.dispose([zeros, y]);
  });

  it('keep NaN when clipping', async () => {
    const y = tf.tidy(() => tf.clipByValue(tf.tensor1d([Number.NaN, -9, 9]), -1, 1));
    expect(Array.from(await y.data())).toEqual([Number.NaN, -1, 1]);
    y.dispose();
  });

  it('leak nothing', () => {
    const before = tf.memory().numTensors;
    tf.tidy(() => {
      const a = tf.ones<tf.Rank.R3>([2, 20, 30]);
      tf.matMul(a, a, true, false);
      tf.matMul(a, a, false, true);
    });
    expect(tf.memory().numTensors).toBe(before);
  });
});
