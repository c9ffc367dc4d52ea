// Whether operations are being recorded for a gradient.
import * as tf from '@tensorflow/tfjs-core';

/** True under a gradient tape; false inside the forward function of a custom gradient, which is not recorded. */
export function isTaped(): boolean {
  const { gradientDepth, kernelDepth } = tf.engine().state;
  return gradientDepth > 0 && kernelDepth === 0;
}
