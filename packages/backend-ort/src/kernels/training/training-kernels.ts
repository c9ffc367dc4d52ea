// The private kernels of @safeinfer/backend for training.
import type { TrainingKernelName } from '@safeinfer/backend';
import type { Kernel } from '../kernel.ts';
import { adamW } from './adamw.ts';
import { trainAttention, trainAttentionGradient } from './attention.ts';
import { crossEntropy, crossEntropyGradient } from './cross-entropy.ts';
import { trainMlp, trainMlpGradient } from './mlp.ts';

export function trainingKernels(): Record<TrainingKernelName, Kernel> {
  return {
    SafeInferTrainMlp: trainMlp,
    SafeInferTrainMlpGradient: trainMlpGradient,
    SafeInferTrainAttention: trainAttention,
    SafeInferTrainAttentionGradient: trainAttentionGradient,
    SafeInferCrossEntropy: crossEntropy,
    SafeInferCrossEntropyGradient: crossEntropyGradient,
    SafeInferAdamW: adamW,
  };
}
