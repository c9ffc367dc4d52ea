import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { einsum } from '../einsum.ts';
import { describeOnBackends } from '../testing/describe-on-backends.ts';
import { guardedWhere } from './guarded-where.ts';
import { stopGradient } from './stop-gradient.ts';

/** Gradient of the sum of f(x) times fixed weights, and its central differences. */
async function compare(
  f: (x: tf.Tensor) => tf.Tensor,
  x: number[],
  shape: number[],
): Promise<number> {
  const loss = (input: tf.Tensor): tf.Tensor => {
    const y = f(input);
    const weights = tf.tensor(
      Array.from({ length: y.size }, (_, i) => Math.cos(3 * i + 1)),
      y.shape,
    );
    return tf.sum(tf.mul(y, weights));
  };
  const input = tf.tensor(x, shape);
  const slope = tf.tidy(() => tf.grad(loss)(input));
  const values = await slope.data();
  let worst = 0;
  const h = 1 / 64;
  for (let i = 0; i < x.length; i++) {
    const at = async (step: number): Promise<number> => {
      const moved = [...x];
      moved[i]! += step;
      const y = tf.tidy(() => loss(tf.tensor(moved, shape)));
      const value = (await y.data())[0]!;
      y.dispose();
      return value;
    };
    const expected = ((await at(h)) - (await at(-h))) / (2 * h);
    worst = Math.max(worst, Math.abs(expected - values[i]!));
  }
  tf.dispose([input, slope]);
  return worst;
}

const points = [0.5, -1.25, 2, 3.5, -0.75, 1.5];

await describeOnBackends('gradients that tfjs-core lacks', () => {
  it('of comparisons inside where', async () => {
    const f = (x: tf.Tensor) => tf.where(tf.greater(x, 0), tf.square(x), tf.mul(x, 3));
    expect(await compare(f, points, [6])).toBeLessThan(2e-3);
  });

  it('of gatherND, scatterND and tensorScatterUpdate', async () => {
    const at = () => tf.tensor2d([2, 0, 5], [3, 1], 'int32');
    expect(await compare((x) => tf.gatherND(x, at()), points, [6])).toBeLessThan(2e-3);
    expect(
      await compare((x) => tf.scatterND(at(), tf.slice(x, [0], [3]), [6]), points, [6]),
    ).toBeLessThan(2e-3);
    expect(
      await compare((x) => tf.tensorScatterUpdate(x, at(), tf.slice(x, [1], [3])), points, [6]),
    ).toBeLessThan(2e-3);
  });

  it('of topk', async () => {
    expect(await compare((x) => tf.topk(x, 2).values, points, [2, 3])).toBeLessThan(2e-3);
  });

  it('of einsum, which equals explicit products', async () => {
    const other = (): tf.Tensor => tf.tensor([1, -2, 0.5, 3], [2, 2]);
    for (const equation of ['ij,jk->ik', 'ij,jk->ki', 'ij,kj->ik', 'ij,ij->i', 'ij,jk->']) {
      const worst = await compare((x) => einsum(equation, x, other()), points.slice(0, 4), [2, 2]);
      expect([equation, worst < 2e-3]).toEqual([equation, true]);
    }
    const heads = tf.tidy(() => {
      const q = tf.reshape(tf.range(0, 24), [1, 2, 3, 4]);
      const k = tf.reshape(tf.range(5, 45), [1, 2, 5, 4]);
      return tf.max(tf.abs(tf.sub(einsum('bhqd,bhkd->bhqk', q, k), tf.matMul(q, k, false, true))));
    });
    expect((await heads.data())[0]).toBeLessThan(1e-2);
    heads.dispose();
  });

  it('stopped, and guarded against NaN of the branch not taken', async () => {
    const x = tf.tensor1d([0, 4]);
    const stopped = tf.tidy(() => tf.grad((y) => tf.sum(tf.mul(stopGradient(y), y)))(x));
    expect(Array.from(await stopped.data())).toEqual([0, 4]);
    const naive = tf.tidy(() =>
      tf.grad((y) => tf.sum(tf.where(tf.greater(y, 0), tf.sqrt(y), tf.zerosLike(y))))(x),
    );
    // The negative control: without the guard, 0 times an infinite slope is NaN.
    expect((await naive.data())[0]).toBeNaN();
    const guarded = tf.tidy(() =>
      tf.grad((y) =>
        tf.sum(
          guardedWhere({
            condition: tf.greater(y, 0),
            x: y,
            a: (v) => tf.sqrt(v),
            b: (v) => tf.zerosLike(v),
            safe: 1,
          }),
        ),
      )(x),
    );
    expect(Array.from(await guarded.data())).toEqual([0, 0.25]);
    tf.dispose([x, stopped, naive, guarded]);
  });
});
