import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { SafeInferError } from './safe-infer-error.ts';
import { useBackend } from './use-backend.ts';

describe('useBackend', () => {
  it('takes the best that starts and says why each better one was not', async () => {
    const report = await useBackend();
    expect(tf.getBackend()).toBe(report.tfBackend);
    for (const { reason, remedy } of report.reasons) {
      expect(reason).not.toBe('');
      expect(remedy).not.toBe('');
    }
    const better = report.reasons.map(({ name }) => name);
    expect(better).not.toContain(report.name);
    expect(better.slice(0, 1)).toEqual(report.name === 'tfjs-node-gpu' ? [] : ['tfjs-node-gpu']);
  });

  it('switches by name, and gradients are registered', async () => {
    for (const name of ['wasm', 'cpu'] as const) {
      const report = await useBackend({ name });
      expect([report.name, tf.getBackend()]).toEqual([name, name]);
      const slope = tf.grad((x) => tf.sum(tf.square(x)))(tf.tensor1d([1, 2, 3]));
      expect([...(await slope.data())]).toEqual([2, 4, 6]);
      slope.dispose();
    }
  });

  it('differentiates an embedding look-up on wasm and cpu', async () => {
    for (const name of ['wasm', 'cpu'] as const) {
      await useBackend({ name });
      const table = tf.ones([4, 2]);
      const ids = tf.tensor1d([3, 1, 3], 'int32');
      const slope = tf.grad((x) => tf.sum(tf.gather(x, ids)))(table);
      expect(Array.from(await slope.data())).toEqual([0, 0, 1, 1, 0, 0, 2, 2]);
      tf.dispose([table, ids, slope]);
    }
  });

  it('refuses a name, a thread count and an aborted signal before any work', async () => {
    const refusals = [
      [{ name: 'cuda' as 'cpu' }, 'BAD_ARGUMENT'],
      [{ threads: 0 }, 'BAD_ARGUMENT'],
      [{ threads: 1.5 }, 'BAD_ARGUMENT'],
      [{ signal: AbortSignal.abort() }, 'ABORTED'],
    ] as const;
    for (const [options, code] of refusals) {
      await expect(useBackend(options)).rejects.toMatchObject({ code });
    }
  });

  it('names reason and remedy of a backend that cannot start', async () => {
    const error = await useBackend({ name: 'tfjs-node-gpu' }).catch((thrown: unknown) => thrown);
    expect(SafeInferError.isInstance(error)).toBe(true);
    expect(error).toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
    expect((error as SafeInferError).hint).toMatch(
      /^npm (install|rebuild) @tensorflow\/tfjs-node-gpu/,
    );
  });
});
