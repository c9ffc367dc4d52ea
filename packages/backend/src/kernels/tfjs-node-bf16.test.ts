import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { availableBackends } from '../testing/available-backends.ts';
import { useBackend } from '../use-backend.ts';

const native = (await availableBackends()).includes('tfjs-node');

// Runs where tools/native-tf has built the addon.
describe.runIf(native)('bfloat16 weights on tfjs-node', () => {
  it('change products by the rounding of 8-bit mantissas, and only when asked for', async () => {
    const x = () => tf.randomNormal([4, 512], 0, 1, 'float32', 1);
    const w = () => tf.randomNormal([512, 256], 0, 1, 'float32', 2);
    const bias = tf.tensor1d(Array.from({ length: 256 }, (_, i) => i));
    const run = async (weights: 'float32' | 'bf16', transposed: boolean): Promise<Float32Array> => {
      await useBackend({ name: 'tfjs-node', weights });
      const y = tf.tidy(() => {
        const right = transposed ? tf.transpose(w()) : w();
        return tf.fused.matMul({
          a: x() as tf.Tensor2D,
          b: right as tf.Tensor2D,
          transposeB: transposed,
          bias,
        });
      });
      const values = Float32Array.from(await y.data());
      y.dispose();
      return values;
    };
    const exact = await run('float32', false);
    const before = tf.memory().numTensors;
    for (const transposed of [false, true]) {
      const near = await run('bf16', transposed);
      const error = Math.sqrt(
        near.reduce((sum, v, i) => sum + (v - exact[i]!) ** 2, 0) / exact.length,
      );
      // Sums of 512 products of standard normals are about 22.6 in size; a mantissa of 8 bits is 0.4 %.
      expect(error / 22.6).toBeLessThan(0.006);
      expect(error / 22.6).toBeGreaterThan(0.0001);
    }
    expect(tf.memory().numTensors).toBe(before);
    expect(await run('float32', false)).toEqual(exact);
    bias.dispose();
  });
});
