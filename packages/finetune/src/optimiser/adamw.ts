// AdamW as PyTorch computes it (Loshchilov and Hutter 2019): decoupled decay, both moments bias-corrected, fp32.
import { hasTrainingKernel, runTrainingKernel, SafeInferError } from '@safeinfer/backend';
import * as tf from '@tensorflow/tfjs-core';

export interface AdamWOptions {
  /** Peak learning rate; the schedule multiplies it. */
  readonly learningRate: number;
  /** Default [0.9, 0.999]. */
  readonly betas?: readonly [number, number];
  /** Added to the root of the second moment; default 1e-8. */
  readonly eps?: number;
  /** Default 0. Per step, decayed parameters shrink by learningRate * weightDecay. */
  readonly weightDecay?: number;
  /** What decays: 'matrices' (default) leaves norms and biases alone, 'all' is PyTorch without groups. */
  readonly decayed?: 'matrices' | 'all';
  /** Largest norm of the gradient of all parameters together; default 1, null for none. */
  readonly clipNorm?: number | null;
}

/** Options with every default filled in. */
export type AdamW = { readonly [K in keyof Required<AdamWOptions>]: Required<AdamWOptions>[K] };

/** @throws SafeInferError `BAD_ARGUMENT` naming the value that cannot work */
export function adamW(options: AdamWOptions): AdamW {
  const filled: AdamW = {
    betas: [0.9, 0.999],
    eps: 1e-8,
    weightDecay: 0,
    decayed: 'matrices',
    clipNorm: 1,
    ...options,
  };
  const { learningRate, betas, eps, weightDecay, clipNorm } = filled;
  const checks: readonly (readonly [string, boolean])[] = [
    [`learningRate ${learningRate}`, learningRate >= 0 && Number.isFinite(learningRate)],
    [`betas ${betas}`, betas.length === 2 && betas.every((beta) => beta >= 0 && beta < 1)],
    [`eps ${eps}`, eps >= 0 && Number.isFinite(eps)],
    [`weightDecay ${weightDecay}`, weightDecay >= 0 && Number.isFinite(weightDecay)],
    [`clipNorm ${clipNorm}`, clipNorm === null || clipNorm > 0],
  ];
  const wrong = checks.find(([, valid]) => !valid);
  if (wrong === undefined) return filled;
  throw new SafeInferError(`AdamW cannot run with ${wrong[0]}`, {
    code: 'BAD_ARGUMENT',
    hint: 'rates, eps and decay are finite and not negative, betas lie in [0, 1), clipNorm is positive',
  });
}

/** A vector of parameters with its two moments. */
export interface AdamState {
  readonly value: tf.Tensor1D;
  readonly first: tf.Tensor1D;
  readonly second: tf.Tensor1D;
  /** Running mean of the value, when one is kept. */
  readonly average?: tf.Tensor1D;
}

/**
 * One update. `step` counts from 1. Returns new tensors; the old ones stay the caller's. The order of
 * operations is that of `torch.optim.AdamW(foreach=False)`.
 */
export function adamWUpdate(options: {
  readonly state: AdamState;
  readonly gradient: tf.Tensor1D;
  /** Multiplies the gradient: the factor of clipping. */
  readonly gradientScale: number;
  readonly step: number;
  readonly learningRate: number;
  readonly weightDecay: number;
  readonly betas: readonly [number, number];
  readonly eps: number;
}): AdamState {
  const { state, gradient, gradientScale, step, learningRate, weightDecay, betas, eps } = options;
  const [beta1, beta2] = betas;
  const rootCorrection = Math.sqrt(1 - beta2 ** step);
  const stepSize = learningRate / (1 - beta1 ** step);
  if (hasTrainingKernel('SafeInferAdamW')) {
    const decay = 1 - learningRate * weightDecay;
    const settings = { gradientScale, decay, beta1, beta2, rootCorrection, stepSize, eps };
    const [value, first, second] = runTrainingKernel(
      'SafeInferAdamW',
      { ...state, gradient },
      settings,
    ) as [tf.Tensor1D, tf.Tensor1D, tf.Tensor1D];
    return { value, first, second };
  }
  return tf.tidy(() => {
    const g: tf.Tensor1D = gradientScale === 1 ? gradient : tf.mul(gradient, gradientScale);
    const first: tf.Tensor1D = tf.add(state.first, tf.mul(tf.sub(g, state.first), 1 - beta1));
    const second: tf.Tensor1D = tf.add(
      tf.mul(state.second, beta2),
      tf.mul(tf.mul(g, g), 1 - beta2),
    );
    const decayed: tf.Tensor1D =
      weightDecay === 0 ? state.value : tf.mul(state.value, 1 - learningRate * weightDecay);
    const denominator = tf.add(tf.div(tf.sqrt(second), rootCorrection), eps);
    const value: tf.Tensor1D = tf.sub(decayed, tf.mul(tf.div(first, denominator), stepSize));
    return { value, first, second };
  });
}

/** Factor of `torch.nn.utils.clip_grad_norm_` for a gradient of norm `norm`. */
export function clipFactor(norm: number, clipNorm: number | null): number {
  // PyTorch's 1e-6 keeps a zero gradient from dividing by zero.
  return clipNorm === null ? 1 : Math.min(1, clipNorm / (norm + 1e-6));
}
