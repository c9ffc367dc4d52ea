// Selection that keeps a NaN in the branch not taken out of the gradient.
import * as tf from '@tensorflow/tfjs-core';

/**
 * Elements of `a` where `condition`, else of `b`, with `0` as the gradient of the branch not taken.
 *
 * `tf.where` multiplies the incoming gradient by 0 there, but what produced that branch multiplies 0
 * by an infinite derivative and yields NaN. Here the producer runs on `safe` values where it is not
 * used: `a` and `b` are functions of the guarded input.
 *
 * @param condition bool, the shape of `x`
 * @param x the input of both branches
 * @param a used where `condition` holds; given `x`, with `safe` where it does not
 * @param b used elsewhere; given `x`, with `safe` where `condition` holds
 * @param safe an input where both branches are finite and smooth
 */
export function guardedWhere(options: {
  readonly condition: tf.Tensor;
  readonly x: tf.Tensor;
  readonly a: (x: tf.Tensor) => tf.Tensor;
  readonly b: (x: tf.Tensor) => tf.Tensor;
  readonly safe: number;
}): tf.Tensor {
  const { condition, x, a, b, safe } = options;
  return tf.tidy(() => {
    const filler = tf.fill(x.shape, safe);
    const taken = a(tf.where(condition, x, filler));
    const other = b(tf.where(condition, filler, x));
    return tf.where(condition, taken, other);
  });
}
