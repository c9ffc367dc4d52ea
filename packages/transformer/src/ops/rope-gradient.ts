// The rotation with its gradient in closed form.
import * as tf from '@tensorflow/tfjs-core';

/**
 * The rotation x cos + (x P) sin for passes under a gradient tape; tables get no gradient. `rotate` computes it.
 * P is antisymmetric, so the gradient is dy cos - (dy sin) P.
 */
export function tapedRope(
  x: tf.Tensor3D,
  tables: { readonly cos: tf.Tensor3D; readonly sin: tf.Tensor3D; readonly pairs: tf.Tensor2D },
  rotate: (x: tf.Tensor3D) => tf.Tensor3D,
): tf.Tensor3D {
  const run = tf.customGrad((...inputs) => {
    const [input, save] = inputs as unknown as [tf.Tensor3D, tf.GradSaveFunc];
    save([tables.cos, tables.sin, tables.pairs]);
    return {
      value: rotate(input),
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
        const [cos, sin, pairs] = saved as [tf.Tensor3D, tf.Tensor3D, tf.Tensor2D];
        const rows: tf.Tensor2D = tf.reshape(tf.mul(dy, sin), [-1, x.shape[2]]);
        return tf.sub(tf.mul(dy, cos), tf.reshape(tf.matMul(rows, pairs), x.shape));
      },
    };
  });
  return run(x) as tf.Tensor3D;
}
