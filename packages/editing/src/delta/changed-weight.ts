// A weight plus deltas: summed in float64 in their order and rounded once, wherever a weight is changed.
import * as tf from '@tensorflow/tfjs-core';
import { addDelta, type WeightDelta } from './weight-delta.ts';

/** Without deltas the very bits of `original`. */
export function changedValues(
  original: Float32Array,
  deltas: readonly WeightDelta[],
): Float32Array<ArrayBuffer> {
  if (deltas.length === 0) return Float32Array.from(original);
  const sum = Float64Array.from(original);
  for (const delta of deltas) addDelta(sum, delta);
  return Float32Array.from(sum);
}

/** A new tensor of the weight's shape; the caller owns it. */
export async function changedWeight(
  weight: tf.Tensor,
  deltas: readonly WeightDelta[],
): Promise<tf.Tensor> {
  const values = changedValues((await weight.data()) as Float32Array, deltas);
  return tf.tensor(values, weight.shape, 'float32');
}
