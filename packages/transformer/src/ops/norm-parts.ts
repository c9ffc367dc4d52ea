// What defines a norm, and its first step.
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
