// Y = X W + b, plus the low-rank deltas of the rows that carry adapters: base weights are read once.
import { runFused } from '@safeinfer/backend';
import * as tf from '@tensorflow/tfjs-core';
import { isTaped } from './is-taped.ts';

/** A low-rank change of one weight for some tokens. */
export interface TokenDelta {
  readonly A: tf.Tensor2D;
  readonly B: tf.Tensor2D;
  /** A number when every token has the adapter; else [N, 1] with 0 for tokens without it. */
  readonly scale: number | tf.Tensor2D;
  /** What A reads in place of `x`, for dropout in training. */
  readonly input?: (x: tf.Tensor2D) => tf.Tensor2D;
}

/** `x` [N, in], `w` [in, out] (or [out, in] with `transposed`), `bias` [out]; returns [N, out]. */
export function linear(options: {
  readonly x: tf.Tensor2D;
  readonly w: tf.Tensor2D;
  readonly bias?: tf.Tensor1D | undefined;
  readonly deltas?: readonly TokenDelta[];
  readonly transposed?: boolean;
}): tf.Tensor2D {
  const { x, w, bias, deltas = [], transposed = false } = options;
  let y: tf.Tensor2D;
  if (bias === undefined) y = tf.matMul(x, w, false, transposed);
  // The wasm backend's fused product is wrong when it both transposes and adds a bias (tfjs 4.22); the gradient
  // of a fused product makes that of `w` also where nobody asks for it.
  else if (transposed || isTaped()) y = tf.add(tf.matMul(x, w, false, transposed), bias);
  else y = tf.fused.matMul({ a: x, b: w, bias }) as tf.Tensor2D;
  for (const delta of deltas) {
    // The same kernel as inside fused halves: a hook that only looks must not move a bit.
    const fused = delta.input
      ? undefined
      : runFused('SafeInferAddLowRank', { x, y }, {}, { w: [delta] });
    if (fused !== undefined) {
      y = fused as tf.Tensor2D;
      continue;
    }
    const inner = tf.mul(tf.matMul(delta.input?.(x) ?? x, delta.A), delta.scale) as tf.Tensor2D;
    y = tf.add(y, tf.matMul(inner, delta.B));
  }
  return y;
}
