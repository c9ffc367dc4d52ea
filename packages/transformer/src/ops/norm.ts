// RMSNorm and LayerNorm over the last axis, in the steps that hooks can read and edit.
import { runFused } from '@safeinfer/backend';
import * as tf from '@tensorflow/tfjs-core';
import { isTaped } from './is-taped.ts';
import { tapedNorm } from './norm-gradient.ts';
import { centred, type NormParts } from './norm-parts.ts';

export { centred, type NormParts };

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

/** The whole norm, in one kernel where the backend has it; `x` keeps its shape. */
export function norm(x: tf.Tensor, parts: NormParts): tf.Tensor {
  return fusedNorm(x, parts) ?? (isTaped() ? tapedNorm : composedNorm)(x, parts);
}

/** The fast form, or undefined where the backend has none or a gradient is recorded. */
export function fusedNorm(x: tf.Tensor, parts: NormParts): tf.Tensor | undefined {
  const { w: gain, b: bias, kind, eps, gainOffset } = parts;
  const inputs = bias === undefined ? { x, gain } : { x, gain, bias };
  return runFused('SafeInferNorm', inputs, { kind, eps, gainOffset });
}

/** The norm as tfjs operations: differentiable, on any backend. */
export function composedNorm(x: tf.Tensor, parts: NormParts): tf.Tensor {
  const c = centred(x, parts.kind);
  return normOutput(tf.div(c, normScale(c, parts.eps)), parts);
}
