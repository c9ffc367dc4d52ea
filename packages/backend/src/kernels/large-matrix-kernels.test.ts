import * as tf from '@tensorflow/tfjs-core';
import { afterEach, describe, expect, it } from 'vitest';
import { describeOnBackends } from '../testing/describe-on-backends.ts';
import { limitLargestTensor } from '../testing/limit-largest-tensor.ts';

/** 53 lines of 32: parts of 12 lines (a multiple of four), the last of 5. Products of 3 rows fit. */
const [V, D, LIMIT] = [53, 32, 4 * 32 * 13] as const;

function values(shape: [number, number], seed: number): tf.Tensor2D {
  return tf.tensor2d(
    Float32Array.from({ length: shape[0] * shape[1] }, (_, i) => Math.sin(seed + 7 * i)),
    shape,
  );
}

const OPERATIONS: Readonly<Record<string, () => tf.Tensor>> = {
  'rows by index': () =>
    tf.gather(values([V, D], 1), tf.tensor2d([52, 0, 11, 12, 13, 0], [2, 3], 'int32')),
  'a product with its transpose': () =>
    tf.matMul(values([3, D], 2), values([V, D], 1), false, true),
  'a product with a wide matrix': () => tf.matMul(values([3, D], 2), values([D, V], 1)),
  'a product along the vocabulary': () => tf.matMul(values([3, V], 2), values([V, D], 1)),
  'a product along it, transposed': () =>
    tf.matMul(values([V, 3], 2), values([D, V], 1), true, true),
  'a product with a bias': () =>
    tf.fused.matMul({
      a: values([3, D], 2),
      b: values([D, V], 1),
      bias: tf.tensor1d(Array.from({ length: V }, (_, i) => i)),
    }),
  'a row': () => tf.slice(values([V, D], 1), [17, 0], [1, -1]),
  'a column': () => tf.slice(values([D, V], 1), [0, 17], [-1, 1]),
  'gradient of what a product reads': () =>
    tf.grad((x) => tf.sum(tf.square(tf.matMul(x, values([V, D], 1), false, true))))(
      values([3, D], 2),
    ),
};

/** Gradients as large as the matrix: only where nothing but a test states a limit. */
const LARGE_RESULTS: Readonly<Record<string, () => tf.Tensor>> = {
  'gradient of a look-up': () =>
    tf.grad((w) => tf.sum(tf.square(tf.gather(w, tf.tensor1d([52, 3, 52], 'int32')))))(
      values([V, D], 1),
    ),
  'gradients of a product': () => {
    const slopes = tf.grads((x, w) => tf.sum(tf.square(tf.matMul(x!, w!, false, true))))([
      values([3, D], 2),
      values([V, D], 1),
    ]);
    return tf.concat(slopes, 0);
  },
};

await describeOnBackends('matrices beyond the largest tensor', (backend) => {
  // TensorFlow's kernels return tensors of the engine; its backends have no such limit.
  if (backend.startsWith('tfjs-node')) return it.skipIf(true)('has no limit', () => {});
  afterEach(() => limitLargestTensor(backend, undefined));

  const operations = backend === 'webgpu' ? OPERATIONS : { ...OPERATIONS, ...LARGE_RESULTS };
  describe.each(Object.keys(operations))('%s', (name) => {
    it('equals the operation in one piece', async () => {
      const run = async (): Promise<{ shape: number[]; values: number[] }> => {
        const y = tf.tidy(operations[name]!);
        const read = [...(await y.data())];
        y.dispose();
        return { shape: y.shape, values: read };
      };
      const whole = await run();
      const [tensors, ids] = [tf.memory().numTensors, tf.engine().backend.numDataIds()];
      limitLargestTensor(backend, LIMIT);
      const parts = await run();
      expect(parts.shape).toEqual(whole.shape);
      const largest = Math.max(...whole.values.map(Math.abs));
      const worst = Math.max(...parts.values.map((v, i) => Math.abs(v - whole.values[i]!)));
      expect(worst / largest).toBeLessThan(2e-6);
      // Freed with the matrix: not one data id is left behind.
      expect([tf.memory().numTensors, tf.engine().backend.numDataIds()]).toEqual([tensors, ids]);
    });
  });

  it.runIf(backend === 'webgpu')('refuses results beyond the limit, naming it', () => {
    limitLargestTensor(backend, LIMIT);
    for (const make of [
      ...Object.values(LARGE_RESULTS),
      () => tf.fill([1000], 1),
      () => tf.exp(tf.tensor1d(new Float32Array(1000))),
      () => tf.matMul(values([30, D], 2), values([V, D], 1), false, true),
    ]) {
      expect(() => tf.tidy(make)).toThrowError(
        expect.objectContaining({
          code: 'ALLOCATION_LIMIT',
          message: expect.stringContaining(String(LIMIT)),
        }),
      );
    }
  });

  it('splits a matrix once, and again when it has other values or another limit', async () => {
    const w = values([V, D], 1);
    const x = values([3, D], 2);
    const ids = (): number => tf.engine().backend.numDataIds();
    const before = ids();
    const made: number[] = [];
    for (const limit of [LIMIT, LIMIT, 2 * LIMIT]) {
      limitLargestTensor(backend, limit);
      tf.matMul(x, w, false, true).dispose();
      made.push(ids() - before);
    }
    expect(made).toEqual([5, 5, 3]);
    w.dispose();
    x.dispose();
    expect(ids()).toBe(before - 2);
  });
});
