// Identity whose gradient is zero.
import * as tf from '@tensorflow/tfjs-core';

/** `x` unchanged; nothing flows back through it. Same shape and dtype; a new handle on the same data. */
export function stopGradient<T extends tf.Tensor>(x: T): T {
  const identity = tf.customGrad((input) => ({
    value: tf.clone(input as tf.Tensor),
    gradFunc: (dy: tf.Tensor) => tf.zerosLike(dy),
  }));
  return identity(x) as T;
}
