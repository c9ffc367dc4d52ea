// What patching experiments measure, as a differentiable function of last-token logits.
import * as tf from '@tensorflow/tfjs-core';

/** From last-token logits [rows, V] to one number a row, [rows]. Synchronous, tensor operations only. */
export type Metric = (logits: tf.Tensor2D) => tf.Tensor1D;

/** logit(token) - logit(against). */
export function logitDifference(token: number, against: number): Metric {
  return (logits) => tf.sub(column(logits, token), column(logits, against));
}

/** log p(token). */
export function logProbability(token: number): Metric {
  return (logits) => column(tf.logSoftmax(logits), token);
}

function column(logits: tf.Tensor2D, token: number): tf.Tensor1D {
  return tf.reshape(tf.slice(logits, [0, token], [-1, 1]), [-1]);
}
