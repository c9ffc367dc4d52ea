// Pointwise MLP activations: one kernel where the backend has it, else differentiable tfjs compositions.
import { runFused } from '@safeinfer/backend';
import * as tf from '@tensorflow/tfjs-core';
import type { Activation } from '../config/model-config.ts';
import { tapedSiluGate } from './gate-gradient.ts';
import { isTaped } from './is-taped.ts';

const SQRT_HALF = Math.SQRT1_2;
const TANH_SCALE = Math.sqrt(2 / Math.PI);
const TANH_CUBIC = 0.044715; // Hendrycks and Gimpel 2016, the constant of the tanh approximation
const QUICK_SLOPE = 1.702; // same paper, the sigmoid approximation

/** Applies the activation to every element, in one kernel where the backend has it. */
export function activate(x: tf.Tensor2D, activation: Activation): tf.Tensor2D {
  const fused = runFused('SafeInferActivation', { x }, { activation });
  return (fused as tf.Tensor2D | undefined) ?? composedActivation(x, activation);
}

/** activation(gate) * up. */
export function gate(pre: tf.Tensor2D, up: tf.Tensor2D, activation: Activation): tf.Tensor2D {
  if (isTaped() && activation === 'silu') return tapedSiluGate(pre, up);
  const fused = runFused('SafeInferGate', { gate: pre, up }, { activation });
  return (fused as tf.Tensor2D | undefined) ?? tf.mul(composedActivation(pre, activation), up);
}

/** The activation as tfjs operations: differentiable, on any backend. */
export function composedActivation(x: tf.Tensor2D, activation: Activation): tf.Tensor2D {
  switch (activation) {
    case 'gelu':
      return tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, SQRT_HALF)), 1));
    case 'gelu_tanh': {
      const inner = tf.mul(tf.add(x, tf.mul(tf.mul(tf.mul(x, x), x), TANH_CUBIC)), TANH_SCALE);
      return tf.mul(tf.mul(x, 0.5), tf.add(tf.tanh(inner), 1));
    }
    case 'quick_gelu':
      return tf.mul(x, tf.sigmoid(tf.mul(x, QUICK_SLOPE)));
    case 'silu':
      return tf.mul(x, tf.sigmoid(x));
    case 'relu':
      return tf.relu(x);
  }
}
