import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { describeOnBackends } from '../testing/describe-on-backends.ts';

await describeOnBackends('kernels that WebGPU gets wrong or lacks', (backend) => {
  const gpu = backend === 'webgpu';

  it('sums and multiplies backwards along axes of several lengths', async () => {
    for (const width of [2, 6, 3]) {
      const x = tf.tensor2d(
        Array.from({ length: 2 * width }, (_, i) => 1 + (i % 5)),
        [2, width],
      );
      const rows = (await x.array()) as number[][];
      const sums = (await tf.cumsum(x, 1, true, true).array()) as number[][];
      const products = (await tf.cumprod(x, 1, false, true).array()) as number[][];
      for (const [r, row] of rows.entries()) {
        for (const c of row.keys()) {
          expect(sums[r]![c]).toBeCloseTo(
            row.slice(c + 1).reduce((a, b) => a + b, 0),
            4,
          );
          expect(products[r]![c]).toBeCloseTo(
            row.slice(c).reduce((a, b) => a * b, 1),
            3,
          );
        }
      }
    }
  });

  // Stock wasm makes a result of another size, TensorFlow refuses weights of another shape.
  it.runIf(gpu || backend === 'cpu')('counts what has three axes', async () => {
    const x = tf.tensor3d([0, 2, 2, 1], [2, 2, 1], 'int32') as unknown as tf.Tensor1D;
    expect([...(await tf.bincount(x, tf.tensor1d([]), 3).data())]).toEqual([1, 1, 2]);
  });

  it('throws for an index outside the table', () => {
    const table = tf.tensor2d([1, 2, 3, 4], [2, 2]);
    for (const index of [2, -1]) {
      const look = (): tf.Tensor => tf.gather(table, tf.tensor1d([0, index], 'int32'));
      if (!gpu) expect(look).toThrow();
      else {
        expect(look).toThrowError(
          expect.objectContaining({
            code: 'BAD_ARGUMENT',
            message: `GatherV2: the index value ${index} is not in [0, 1]`,
          }),
        );
      }
    }
  });

  it('reads a tensor that is disposed before its values arrive', async () => {
    const before = tf.memory().numTensors;
    const x = tf.square(tf.tensor1d([2, 3]));
    const reads = [x.data(), x.data()];
    x.dispose();
    for (const values of await Promise.all(reads)) expect([...values]).toEqual([4, 9]);
    expect(tf.memory().numTensors).toBe(before + 1);
  });

  it('has the kernels of cpu, for values on the host', async () => {
    const { values, indices } = tf.unique(tf.tensor1d([3, 1, 3]));
    expect([...(await values.data())]).toEqual([3, 1]);
    expect([...(await indices.data())]).toEqual([0, 1, 0]);
  });

  it.runIf(gpu)('refuses them for values on the GPU, until those are read', async () => {
    const x = tf.add(tf.tensor1d([3, 1, 3]), 0) as tf.Tensor1D;
    expect(() => tf.unique(x)).toThrowError(
      expect.objectContaining({ code: 'UNSUPPORTED', message: expect.stringContaining('Unique') }),
    );
    await x.data();
    expect([...(await tf.unique(x).values.data())]).toEqual([3, 1]);
  });

  it.runIf(gpu)('refuses to read synchronously, by name', async () => {
    const x = tf.square(tf.tensor1d([2, 3]));
    expect(() => x.dataSync()).toThrowError(
      expect.objectContaining({ code: 'UNSUPPORTED', hint: expect.stringContaining('data()') }),
    );
    await x.data();
    expect([...x.dataSync()]).toEqual([4, 9]);
  });

  it.runIf(gpu)('rejects the first read after an error of the GPU', async () => {
    const { device } = tf.backend() as unknown as {
      device: { createShaderModule(options: object): void };
    };
    device.createShaderModule({ code: 'not a shader' });
    const x = tf.square(tf.tensor1d([2, 3]));
    await expect(x.data()).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    expect([...(await tf.neg(x).data())]).toEqual([-4, -9]);
  });
});
