// RMSNorm and LayerNorm over the last axis, in the steps that hooks can read and edit.
import * as tf from '@tensorflow/tfjs-core';

export interface NormParts {
  /** Gain over the last axis. */
  readonly w: tf.Tensor;
  /** Bias of a LayerNorm. */
  readonly b: tf.Tensor | undefined;
  readonly kind: 'layer' | 'rms';
  readonly eps: number;
  /** Gemma stores the gain minus one. */
  readonly gainOffset: 0 | 1;
}

/** What is divided by the scale: x less its mean for LayerNorm, x itself for RMSNorm. */
export function centred(x: tf.Tensor, kind: 'layer' | 'rms'): tf.Tensor {
  return kind === 'rms' ? x : tf.sub(x, tf.mean(x, -1, true));
}

/** The denominator [..., 1]: root of the mean square (biased variance once centred) plus eps. */
export function normScale(c: tf.Tensor, eps: number): tf.Tensor {
  return tf.sqrt(tf.add(tf.mean(tf.mul(c, c), -1, true), eps));
}

/** Gain and bias. */
export function normOutput(normalized: tf.Tensor, parts: NormParts): tf.Tensor {
  const gain = parts.gainOffset === 0 ? parts.w : tf.add(parts.w, parts.gainOffset);
  const scaled = tf.mul(normalized, gain);
  return parts.b === undefined ? scaled : tf.add(scaled, parts.b);
}

/** The whole norm; `x` keeps its shape. */
export function norm(x: tf.Tensor, parts: NormParts): tf.Tensor {
  const c = centred(x, parts.kind);
  return normOutput(tf.div(c, normScale(c, parts.eps)), parts);
}
