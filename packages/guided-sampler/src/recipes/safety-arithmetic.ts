// The activation part of Safety Arithmetic (Hazra et al. 2024): every MLP output turned away from a harm direction.
import type { FunctionIntervention, Transformer } from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import { term } from '../formula/expr.ts';
import { compile, type Plan } from '../plan/plan.ts';

/** The released code multiplies alpha by this before use. */
const SOURCE_FACTOR = 0.1;

/**
 * `x <- unit(unit(x) - 0.1 alpha (1 + max(0, cos(x, v))) unit(v)) * |x|` for every row of `x` [p, D]; `direction` [D].
 * Inside the caller's tidy.
 */
export function awayFrom(x: tf.Tensor2D, direction: tf.Tensor1D, alpha: number): tf.Tensor2D {
  return tf.tidy(() => {
    const unit = tf.div(direction, tf.norm(direction));
    const length = tf.norm(x, 2, 1, true);
    const normal = tf.div(x, tf.maximum(length, 1e-12));
    const cosine = tf.sum(tf.mul(normal, unit), 1, true);
    const shift = tf.mul(tf.mul(tf.add(1, tf.relu(cosine)), SOURCE_FACTOR * alpha), unit);
    const turned = tf.sub(normal, shift);
    const scale = tf.div(length, tf.maximum(tf.norm(turned, 2, 1, true), 1e-12));
    return tf.mul(turned, scale) as tf.Tensor2D;
  });
}

export interface SafetyArithmeticOptions {
  readonly model: Transformer;
  /** Harm direction of each layer, by layer index; layers without one are left alone. */
  readonly directions: ReadonlyMap<number, Float32Array>;
  /** Default 0.12, as released. */
  readonly alpha?: number;
}

/** One intervention a layer, at the MLP output, all positions, prompt and generation. */
export function safetyArithmeticInterventions(
  options: Omit<SafetyArithmeticOptions, 'model'>,
): readonly FunctionIntervention[] {
  const alpha = options.alpha ?? 0.12;
  return [...options.directions].map(([layer, direction]) => ({
    at: `blocks.${layer}.hook_mlp_out` as const,
    apply: (activation) => awayFrom(activation as tf.Tensor2D, tf.tensor1d(direction), alpha),
  }));
}

/** Plan of the model with Safety Arithmetic's activation edit (its weight edit is the editing package's). */
export function safetyArithmetic(options: SafetyArithmeticOptions): Plan {
  const { model, ...rest } = options;
  return compile(term('model', { model, interventions: safetyArithmeticInterventions(rest) }));
}
