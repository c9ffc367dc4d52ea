// Private kernels that some backends have for training: halves of a block with their gradients, loss and optimiser.
import * as tf from '@tensorflow/tfjs-core';
import type { FusedActivation } from './fused-kernels.ts';

/** One of the products of a half: Y = X W (+ b) (+ scale (X A) B), and what of it is trained. */
export interface TrainedLinear {
  readonly bias: boolean;
  /** Scale of a low-rank delta on W; null for none. */
  readonly scale: number | null;
  /** Whether the gradient makes dW, db. Those of A and B are made whenever there is a delta. */
  readonly trainsWeight: boolean;
  readonly trainsBias: boolean;
}

export interface TrainedNorm {
  readonly kind: 'rms' | 'layer';
  readonly eps: number;
  readonly gainOffset: number;
  readonly bias: boolean;
  readonly trainsGain: boolean;
  readonly trainsBias: boolean;
}

/** `x` [N, D] plus its MLP: x + W_out act(...), with the norm before it. */
export interface TrainedMlpAttrs {
  readonly norm: TrainedNorm;
  readonly activation: FusedActivation;
  /** By name: `gate` for gated ones, `in`, `out`. */
  readonly linears: Readonly<Record<string, TrainedLinear>>;
}

/** `x` [N, D] plus its attention over rows packed as [S, T], with the norm before it. */
export interface TrainedAttentionAttrs {
  readonly norm: TrainedNorm;
  /** By name: `Q`, `K`, `V`, `O`. */
  readonly linears: Readonly<Record<string, TrainedLinear>>;
  readonly nHeads: number;
  readonly nKvHeads: number;
  readonly dHead: number;
  /** Factor of the scores. */
  readonly scale: number;
  readonly rotary: boolean;
  readonly rows: number;
  readonly longest: number;
}

/**
 * What each kernel takes beside its tensors. Tensors go by name: `x`, `gain`, `normBias`; for a linear `Q`: `wQ`,
 * `bQ`, `AQ`, `BQ`; attention: `cos`, `sin` [N, 1, e] and `pairs` [e, e] with `rotary`, `mask` [S or 1, 1, T, T], and
 * where rows differ in length `slots` int32 [S T] (token of each slot, N for padding) and `places` int32 [N] (slot of
 * each token).
 *
 * The two halves give the new residual stream and then, in the order of `TRAINING_SAVES`, what their gradients need.
 * A gradient takes `dy`, the inputs and the saved tensors, and gives dx and then, in the order of `trainedNames`, the
 * gradients of what is trained.
 */
export interface TrainingKernels {
  readonly SafeInferTrainMlp: TrainedMlpAttrs;
  readonly SafeInferTrainMlpGradient: TrainedMlpAttrs;
  readonly SafeInferTrainAttention: TrainedAttentionAttrs;
  readonly SafeInferTrainAttentionGradient: TrainedAttentionAttrs;
  /** `logits` [M, V], int32 `targets` [M], `weights` [M]: weighted sum of losses [], log-probabilities [M, V]. */
  readonly SafeInferCrossEntropy: Readonly<Record<string, never>>;
  /** `logp` [M, V], `targets`, `weights`, `dy` []: gradient of the logits [M, V]. */
  readonly SafeInferCrossEntropyGradient: Readonly<Record<string, never>>;
  /** `value`, `first`, `second`, `gradient` of one size: the three of them after a step. */
  readonly SafeInferAdamW: {
    readonly gradientScale: number;
    readonly decay: number;
    readonly beta1: number;
    readonly beta2: number;
    readonly rootCorrection: number;
    readonly stepSize: number;
    readonly eps: number;
  };
}

export type TrainingKernelName = keyof TrainingKernels;

/** What the halves save for their gradients, beside the result. */
export const TRAINING_SAVES = {
  mlp: (attrs: TrainedMlpAttrs): string[] => [
    ...normSaves(attrs.norm),
    ...('gate' in attrs.linears ? ['pre', 'up', 'post'] : ['pre', 'post']),
  ],
  attention: (attrs: TrainedAttentionAttrs): string[] => [
    ...normSaves(attrs.norm),
    'q',
    'k',
    'v',
    'pattern',
    'packedZ',
    'z',
  ],
} as const;

function normSaves(norm: TrainedNorm): string[] {
  return norm.kind === 'layer' ? ['normed', 'inverse', 'mean'] : ['normed', 'inverse'];
}

/** Inputs with a gradient beside `x`, in the order in which gradient kernels give them. */
export function trainedNames(attrs: TrainedMlpAttrs | TrainedAttentionAttrs): string[] {
  const { norm, linears } = attrs;
  return [
    ...(norm.trainsGain ? ['gain'] : []),
    ...(norm.trainsBias ? ['normBias'] : []),
    ...Object.entries(linears).flatMap(([name, linear]) => [
      ...(linear.trainsWeight ? [`w${name}`] : []),
      ...(linear.trainsBias ? [`b${name}`] : []),
      ...(linear.scale === null ? [] : [`A${name}`, `B${name}`]),
    ]),
  ];
}

/** True when the active backend has the kernel. */
export function hasTrainingKernel(name: TrainingKernelName): boolean {
  return tf.getKernel(name, tf.getBackend()) !== undefined;
}

/** Runs a training kernel; its results are the caller's. Not recorded: it belongs inside a custom gradient. */
export function runTrainingKernel<N extends TrainingKernelName>(
  name: N,
  inputs: Readonly<Record<string, tf.Tensor>>,
  attrs: TrainingKernels[N],
): tf.Tensor[] {
  return tf
    .engine()
    .runKernel(
      name,
      inputs as tf.NamedTensorMap,
      attrs as unknown as tf.NamedAttrMap,
    ) as unknown as tf.Tensor[];
}
