// Private kernels that some backends have for the operations that decide a transformer's speed.
import * as tf from '@tensorflow/tfjs-core';

/** Pointwise functions of an MLP, by the names of Hugging Face configurations. */
export type FusedActivation = 'gelu' | 'gelu_tanh' | 'quick_gelu' | 'silu' | 'relu';

/** Inputs (tensors by name) and attributes of each private kernel; each returns one tensor. */
export interface FusedKernels {
  /** Norm over the last axis D of `x` [..., D]; `gain` and `bias` [D]; same shape out. */
  readonly SafeInferNorm: {
    readonly inputs: { readonly x: tf.Tensor; readonly gain: tf.Tensor; readonly bias?: tf.Tensor };
    /** `gainOffset` is added to the gain (1 for Gemma). */
    readonly attrs: {
      readonly kind: 'rms' | 'layer';
      readonly eps: number;
      readonly gainOffset: number;
    };
  };
  /**
   * x cos + (x P) sin for `x` [N, heads, e], `cos` and `sin` [N, 1, e], and the signed permutation
   * `pairs` P [e, e].
   */
  readonly SafeInferRope: {
    readonly inputs: {
      readonly x: tf.Tensor;
      readonly cos: tf.Tensor;
      readonly sin: tf.Tensor;
      readonly pairs: tf.Tensor;
    };
    readonly attrs: Readonly<Record<string, never>>;
  };
  /** activation(x), elementwise. */
  readonly SafeInferActivation: {
    readonly inputs: { readonly x: tf.Tensor };
    readonly attrs: { readonly activation: FusedActivation };
  };
  /** activation(gate) * up, elementwise, both of one shape. */
  readonly SafeInferGate: {
    readonly inputs: { readonly gate: tf.Tensor; readonly up: tf.Tensor };
    readonly attrs: { readonly activation: FusedActivation };
  };
  /**
   * softmax(cap(q k) + mask) v over the keys of all blocks: `q` [S, h, T, e] already scaled; blocks
   * `k0`, `v0`, `k1`, `v1`, ... [S, kv, n, e] (one row a stream: no shared prefixes), query heads grouped
   * consecutively on key heads; `mask` [S, 1, T, K] added, K the keys of all blocks. Returns [S, h, T, e].
   */
  readonly SafeInferAttention: {
    readonly inputs: { readonly q: tf.Tensor } & Readonly<Record<string, tf.Tensor>>;
    /** `blocks` is the number of key blocks; `softcap` 0 for none. */
    readonly attrs: { readonly blocks: number; readonly softcap: number };
  };
}

export type FusedKernelName = keyof FusedKernels;

/** True when the active backend has the kernel and no gradient is being recorded (they have none). */
export function hasFusedKernel(name: FusedKernelName): boolean {
  if (tf.engine().state.gradientDepth > 0 && tf.engine().state.kernelDepth === 0) return false;
  return tf.getKernel(name, tf.getBackend()) !== undefined;
}

/**
 * Runs a private kernel, or returns undefined where it must be composed of tfjs operations instead:
 * `runFused('SafeInferNorm', { x, gain }, attrs) ?? composed(x, gain)`. The result is the caller's, as of
 * any operation.
 */
export function runFused<N extends FusedKernelName>(
  name: N,
  inputs: FusedKernels[N]['inputs'],
  attrs: FusedKernels[N]['attrs'],
): tf.Tensor | undefined {
  if (!hasFusedKernel(name)) return undefined;
  return tf
    .engine()
    .runKernel(name, inputs as unknown as tf.NamedTensorMap, attrs as tf.NamedAttrMap) as tf.Tensor;
}
