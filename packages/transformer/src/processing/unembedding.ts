// The unembedding as a matrix of its own, for processing that changes only one side of a tied pair.
import * as tf from '@tensorflow/tfjs-core';
import type { WeightName } from '../config/weight-name.ts';

/** [D, V] of the model: its own matrix, or the transposed embedding of a tied model. A new tensor. */
export function unembeddingOf(weights: ReadonlyMap<WeightName, tf.Tensor>): tf.Tensor2D {
  const own = weights.get('unembed.W_U') as tf.Tensor2D | undefined;
  return own === undefined ? tf.transpose(weights.get('embed.W_E') as tf.Tensor2D) : tf.clone(own);
}
