// silu(gate) * up with its gradient in closed form.
import * as tf from '@tensorflow/tfjs-core';

/** The gated unit of Llama-like MLPs for passes under a gradient tape. */
export function tapedSiluGate(gate: tf.Tensor2D, up: tf.Tensor2D): tf.Tensor2D {
  const run = tf.customGrad((...inputs) => {
    const [g, u, save] = inputs as unknown as [tf.Tensor2D, tf.Tensor2D, tf.GradSaveFunc];
    const s = tf.sigmoid(g);
    const silu = tf.mul(g, s);
    save([s, silu, u]);
    return {
      value: tf.mul(silu, u),
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
        const [sigmoid, activated, linear] = saved as [tf.Tensor, tf.Tensor, tf.Tensor];
        // d silu = s + silu (1 - s)
        const slope = tf.add(sigmoid, tf.mul(activated, tf.sub(1, sigmoid)));
        return [tf.mul(tf.mul(dy, linear), slope), tf.mul(dy, activated)];
      },
    };
  });
  return run(gate, up) as tf.Tensor2D;
}
