// Public API of @safeinfer/finetune.
export { LoraAdapter, type LoraFactors } from './adapters/lora-adapter.ts';
export { LORA_DEFAULTS, type LoraSettings } from './adapters/lora-settings.ts';
export { type MatchedModule, matchModules } from './adapters/match-modules.ts';
export { type MergedAdapter, mergeAdapter, mergedWeights } from './adapters/merge-adapter.ts';
export { loadAdapter, type ReadAdapterOptions, readAdapter } from './adapters/read-adapter.ts';
export { type WriteAdapterOptions, writeAdapter } from './adapters/write-adapter.ts';
export {
  type BatchOptions,
  type BatchPlan,
  batchPlan,
  microBatches,
  type StepBatches,
  stepsPerEpoch,
} from './data/batch-plan.ts';
export { checkExamples } from './data/check-examples.ts';
export {
  type Conversation,
  type EncodeChatOptions,
  encodeChatExamples,
} from './data/encode-chat.ts';
export { type EncodeTextOptions, encodeTextExamples, type TextPair } from './data/encode-text.ts';
export type { TrainingExample } from './data/example.ts';
export type { LengthLimit } from './data/limit-length.ts';
export type { AdamWOptions } from './optimiser/adamw.ts';
export { type Schedule, scheduleFactor } from './optimiser/schedule.ts';
export { mixSeeds, permutation } from './random/shuffle.ts';
export { checkpointPath } from './training/checkpoint.ts';
export { weightedCrossEntropy } from './training/cross-entropy.ts';
export { type EvaluateLossOptions, evaluateLoss } from './training/evaluate-loss.ts';
export type { FullMethod, LoraMethod, Method } from './training/method.ts';
export { train } from './training/train.ts';
export type {
  CheckpointOptions,
  FullResult,
  LoraResult,
  StepProgress,
  TrainOptions,
  TrainProgress,
  TrainRecord,
  VisibilityPlan,
} from './training/train-options.ts';
