// What wasm leaves to cpu: the same values as cpu, and nothing left in the heap.
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { useBackend } from '../use-backend.ts';

const OPERATIONS: Readonly<Record<string, () => tf.Tensor>> = {
  'complex products': () => {
    const z = tf.complex(tf.tensor1d([1, 2]), tf.tensor1d([3, -1]));
    const w = tf.mul(z, tf.add(z, z)) as tf.Tensor;
    return tf.concat([tf.real(w), tf.imag(w), tf.abs(w)]);
  },
  'Fourier transforms': () => tf.abs(tf.spectral.rfft(tf.tensor1d([1, 5, 2, -3]))),
  einsum: () => tf.einsum('ij,jk->ik', tf.ones([2, 3]), tf.ones([3, 4])),
  'a cast to bool': () => tf.cast(tf.cast(tf.tensor1d([3, 0, -2]), 'bool'), 'int32'),
  'products of int32': () =>
    tf.matMul(tf.tensor2d([[1, 2]], [1, 2], 'int32'), tf.tensor2d([[3], [4]], [2, 1], 'int32')),
  'comparison of strings': () =>
    tf.cast(tf.equal(tf.tensor1d(['a', 'b']), tf.tensor1d(['a', 'c'])), 'int32'),
  'gradient of a convolution': () =>
    tf.grad((w) =>
      tf.sum(tf.conv2d(tf.ones<tf.Rank.R4>([1, 4, 4, 1]), w as tf.Tensor4D, 1, 'valid')),
    )(tf.ones([2, 2, 1, 1])),
};

describe('operations that wasm leaves to cpu', () => {
  it.each(Object.keys(OPERATIONS))('%s equal those of cpu and leave no data', async (name) => {
    const values: number[][] = [];
    for (const backend of ['cpu', 'wasm'] as const) {
      await useBackend({ name: backend });
      const ids = (): number[] => ['cpu', 'wasm'].map((b) => tf.findBackend(b)?.numDataIds() ?? 0);
      const before = ids();
      const y = tf.tidy(OPERATIONS[name]!);
      values.push([...(await y.data())]);
      y.dispose();
      expect(ids()).toEqual(before);
    }
    expect(values[1]).toEqual(values[0]);
  });
});
