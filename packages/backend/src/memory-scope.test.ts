import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { TensorScope, tensorsIn, withTensors } from './memory-scope.ts';
import { useBackend } from './use-backend.ts';

describe('withTensors', () => {
  beforeAll(async () => {
    await useBackend({ name: 'cpu' });
  });

  const count = (): number => tf.memory().numTensors;

  it('keeps what is reachable from the result and disposes the rest', async () => {
    const before = count();
    const kept = withTensors(() => {
      tf.ones([2]);
      return { inner: [tf.zeros([3])] };
    });
    expect(count()).toBe(before + 1);
    tf.dispose(kept);
    const later = await withTensors(async (scope) => {
      const a = scope.own(tf.ones([2]));
      await Promise.resolve();
      const b = scope.own(tf.add(a, 1));
      scope.own(tf.ones([5]));
      return b;
    });
    expect(count()).toBe(before + 1);
    later.dispose();
    expect(count()).toBe(before);
  });

  it('leaves the count unchanged on a throw, a rejection and an abort', async () => {
    const before = count();
    expect(() =>
      withTensors(() => {
        tf.ones([2]);
        throw new Error('no');
      }),
    ).toThrow('no');
    await expect(
      withTensors(async (scope) => {
        scope.own(tf.ones([2]));
        await Promise.resolve();
        scope.own([tf.ones([2]), { deep: tf.ones([1]) }]);
        throw new Error('late');
      }),
    ).rejects.toThrow('late');
    expect(count()).toBe(before);
  });

  it('leaves tensors of the caller alone', () => {
    const mine = tf.ones([2]);
    const sum = withTensors(() => tf.add(mine, 1));
    expect(mine.isDisposed).toBe(false);
    tf.dispose([mine, sum]);
  });

  it('finds tensors in every container once', () => {
    const a = tf.ones([1]);
    const loop: Record<string, unknown> = {
      a,
      list: [a],
      map: new Map([['k', a]]),
      set: new Set([a]),
    };
    loop['self'] = loop;
    expect(tensorsIn(loop)).toEqual([a]);
    a.dispose();
  });

  it('is a resource', () => {
    const before = count();
    const scope = new TensorScope();
    scope.own(tf.ones([2]));
    const out = scope.release(scope.own(tf.ones([2])));
    scope[Symbol.dispose]();
    expect(out.isDisposed).toBe(false);
    out.dispose();
    expect(count()).toBe(before);
  });
});
