// An allocation past a backend's limit is a typed error that names the limit, and the backend works on.
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import type { BackendName } from '../backend-name.ts';
import { describeOnBackends } from '../testing/describe-on-backends.ts';

/** By backend: lengths that cannot be, and what the message must name. WebGPU: large-matrix-kernels.test.ts. */
const BEYOND: Readonly<
  Partial<Record<BackendName, { readonly lengths: number[]; readonly limit: string }>>
> = {
  cpu: { lengths: [2 ** 33], limit: '4294967295' },
  ort: { lengths: [2 ** 33], limit: '4294967295' },
  wasm: { lengths: [2 ** 31, 2 ** 30], limit: '4294967296' },
};

await describeOnBackends('allocation past the limit', (backend) => {
  const beyond = BEYOND[backend];
  it.runIf(beyond !== undefined)('names it, leaves nothing, and the backend works on', async () => {
    const kept = tf.tensor1d([1, 2, 3]);
    const before = tf.engine().backend.numDataIds();
    for (const length of beyond!.lengths) {
      expect(() => tf.fill([length], 1)).toThrowError(
        expect.objectContaining({
          code: 'ALLOCATION_LIMIT',
          message: expect.stringContaining(beyond!.limit),
        }),
      );
    }
    expect(tf.engine().backend.numDataIds()).toBe(before);
    const squares = tf.square(kept);
    expect([...(await squares.data())]).toEqual([1, 4, 9]);
    tf.dispose([kept, squares]);
  });

  it.runIf(backend === 'wasm')('is noticed when the heap is full, not only for one tensor', () => {
    // Allocating touches no page, so this costs address space only.
    const { wasm } = tf.engine().backend as unknown as {
      readonly wasm: { _malloc(bytes: number): number; _free(address: number): void };
    };
    const half = wasm._malloc(2 ** 31);
    expect(() => wasm._malloc(2 ** 31)).toThrowError(
      expect.objectContaining({ code: 'ALLOCATION_LIMIT' }),
    );
    wasm._free(half);
    wasm._free(wasm._malloc(2 ** 31));
  });
});
