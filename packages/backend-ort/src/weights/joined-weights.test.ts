import { runFusedHeads, useBackend } from '@safeinfer/backend';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { OrtBackend } from '../ort-backend.ts';
import { JoinedWeight } from './joined-weights.ts';

const INNER = 256;
const COLUMNS = { Q: 512, K: 256, V: 320 } as const;
const LETTERS = ['Q', 'K', 'V'] as const;
type Weights = Record<(typeof LETTERS)[number], tf.Tensor2D>;

let weights: Weights;
let originals: Record<(typeof LETTERS)[number], Float32Array>;

const x = (rows: number): tf.Tensor2D =>
  tf.randomNormal([rows, INNER], 0, 1, 'float32', 40) as tf.Tensor2D;

/** The three products of norm(x), as one kernel. */
function together(input: tf.Tensor2D, own: Weights = weights): Float32Array[] {
  return tf.tidy(() => {
    const parts = runFusedHeads(
      { x: input, gain: tf.ones([INNER]), wQ: own.Q, wK: own.K, wV: own.V },
      { kind: 'rms', eps: 1e-5, gainOffset: 0, nHeads: 8, nKvHeads: 4, scale: 1 },
    );
    if (parts === undefined) throw new Error('the kernel is not registered');
    return parts.map((part) => part.dataSync() as Float32Array);
  });
}

/** The same, operation by operation. */
function apart(input: tf.Tensor2D, own: Weights = weights): Float32Array[] {
  return tf.tidy(() => {
    const square = tf.mean(tf.square(input), -1, true);
    const normed = tf.div<tf.Tensor2D>(input, tf.sqrt(tf.add(square, 1e-5)));
    return LETTERS.map((letter) => tf.matMul(normed, own[letter]).dataSync() as Float32Array);
  });
}

function far(a: readonly Float32Array[], b: readonly Float32Array[]): number {
  return Math.max(...a.flatMap((own, i) => [...own].map((v, j) => Math.abs(v - b[i]![j]!))));
}

function joined(tensor: tf.Tensor): boolean {
  return (tf.backend() as OrtBackend).record(tensor.dataId).packed instanceof JoinedWeight;
}

describe('weights of one left operand, joined', () => {
  beforeEach(async () => {
    await useBackend({ name: 'ort' });
    const make = (letter: (typeof LETTERS)[number], seed: number): tf.Tensor2D => {
      const values = tf.tidy(
        () =>
          tf
            .randomNormal([INNER, COLUMNS[letter]], 0, 1, 'float32', seed)
            .dataSync() as Float32Array,
      );
      values[3] = -0;
      values[4] = 0;
      return tf.tensor2d(values, [INNER, COLUMNS[letter]]);
    };
    weights = { Q: make('Q', 1), K: make('K', 2), V: make('V', 3) };
    originals = {
      Q: weights.Q.dataSync().slice() as Float32Array,
      K: weights.K.dataSync().slice() as Float32Array,
      V: weights.V.dataSync().slice() as Float32Array,
    };
  });
  afterEach(() => {
    tf.dispose(weights);
  });

  it('are packed together at their first product, which is the product', () => {
    const input = x(3);
    expect(joined(weights.Q)).toBe(false);
    const own = together(input);
    expect(LETTERS.every((letter) => joined(weights[letter]))).toBe(true);
    expect(far(own, apart(input))).toBeLessThan(1e-4);
    input.dispose();
  });

  it('give a row the same bits alone, in a batch, and one product at a time', () => {
    const input = x(8);
    const all = together(input);
    const first = tf.slice(input, [0, 0], [1, -1]);
    together(first).forEach((part, i) => {
      expect(Array.from(part)).toEqual(Array.from(all[i]!.subarray(0, part.length)));
    });
    // One by one, in another order, twice: products that were made beside are handed out once.
    for (const letter of ['V', 'Q', 'K', 'Q'] as const) {
      const expected = tf.tidy(() =>
        tf.matMul(input, tf.tensor2d(originals[letter], [INNER, COLUMNS[letter]])).dataSync(),
      );
      const own = tf.tidy(() => tf.matMul(input, weights[letter]).dataSync());
      expect(far([own as Float32Array], [expected as Float32Array])).toBeLessThan(1e-4);
    }
    tf.dispose([input, first]);
  });

  it('read back bit for bit, packed or not', () => {
    const input = x(1);
    together(input);
    input.dispose();
    for (const letter of LETTERS) {
      const own = weights[letter].dataSync();
      expect(own.every((value, i) => Object.is(value, originals[letter][i]))).toBe(true);
    }
    expect(joined(weights.V)).toBe(true);
  });

  it('go their own way when one of them is replaced', () => {
    const input = x(2);
    together(input);
    weights.K.dispose();
    const negated = tf.tidy(() =>
      tf.neg(tf.tensor2d(originals.K, [INNER, COLUMNS.K])),
    ) as tf.Tensor2D;
    weights = { ...weights, K: negated };
    expect(far(together(input), apart(input))).toBeLessThan(1e-4);
    expect(joined(weights.Q)).toBe(false);
    input.dispose();
  });

  it('leave no tensor and stay apart when one holds NaN', () => {
    const values = originals.V.slice();
    values[7] = Number.NaN;
    const bad = { ...weights, V: tf.tensor2d(values, [INNER, COLUMNS.V]) };
    const input = x(2);
    const before = tf.memory().numTensors;
    expect(together(input, bad)[2]!.some(Number.isNaN)).toBe(true);
    expect(tf.memory().numTensors).toBe(before);
    expect(joined(weights.Q)).toBe(false);
    tf.dispose([input, bad.V]);
  });
});
