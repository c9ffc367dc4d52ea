import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { useBackend } from '../use-backend.ts';
import { checkSize, guardAllocations } from './webgpu-guard.ts';

it('refuses a tensor by its bytes, and names the limit', () => {
  const info = { dataId: {}, shape: [50_257, 768], dtype: 'float32' } as const;
  expect(() => checkSize({ ...info, shape: [...info.shape] }, 2 ** 28)).not.toThrow();
  expect(() => checkSize({ ...info, shape: [...info.shape] }, 2 ** 27)).toThrowError(
    expect.objectContaining({
      code: 'ALLOCATION_LIMIT',
      message: expect.stringContaining('134217728'),
    }),
  );
});

it('refuses gradients as large as a matrix beyond the limit, naming both and the remedy', async () => {
  await useBackend({ name: 'cpu' });
  guardAllocations('cpu', { maxStorageBufferBindingSize: 1024, maxBufferSize: 4096 });
  const table = tf.ones([40, 8]);
  const x = tf.ones([3, 8]);
  const ofLookUp = (): tf.Tensor =>
    tf.grad((w) => tf.sum(tf.square(tf.gather(w, tf.tensor1d([39, 3], 'int32')))))(table);
  const ofProduct = (): tf.Tensor =>
    tf.grad((w) => tf.sum(tf.square(tf.matMul(x, w, false, true))))(table);
  for (const make of [ofLookUp, ofProduct]) {
    expect(() => tf.tidy(make)).toThrowError(
      expect.objectContaining({
        code: 'ALLOCATION_LIMIT',
        message: expect.stringMatching(/\[40,8\] takes 1280 bytes.* at most 1024/),
        hint: expect.stringContaining('train adapters instead of the embedding'),
      }),
    );
  }
  // What reads it still works.
  const slope = tf.tidy(() => tf.grad((y) => tf.sum(tf.matMul(y, table, false, true)))(x));
  expect([...(await slope.data())]).toEqual(Array(24).fill(40));
});
