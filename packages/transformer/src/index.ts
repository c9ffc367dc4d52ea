// Public API of @safeinfer/transformer.

// --- Loading: weights, hub, tokenizer, chat template ---
export { type ChatTemplateSource, readChatTemplate } from './chat-template/read-chat-template.ts';
export {
  type ChatMessage,
  encodeChat,
  type RenderChatOptions,
  renderChat,
} from './chat-template/render-chat.ts';
export type { DownloadProgress } from './hub/download-model.ts';
export { type CachedFile, findInCache } from './hub/hub-cache.ts';
export { type HubEnvironment, readHubEnvironment } from './hub/hub-environment.ts';
export { type ResolveModelOptions, resolveModel } from './hub/resolve-model.ts';
export { type GenerationConfig, readGenerationConfig } from './loading/generation-config.ts';
export {
  type WriteModelDirectoryOptions,
  writeModelDirectory,
} from './loading/write-model-directory.ts';
export {
  type Checkpoint,
  type CheckpointTensor,
  openCheckpoint,
} from './safetensors/checkpoint.ts';
export type { SafetensorsDtype } from './safetensors/dtype.ts';
export type { TensorInfo } from './safetensors/header.ts';
export {
  openSafetensors,
  type ReadOptions,
  type SafetensorsFile,
  type TensorData,
} from './safetensors/safetensors-file.ts';
export {
  type TensorToWrite,
  type TensorValues,
  type WriteOptions,
  writeSafetensors,
} from './safetensors/write-safetensors.ts';
export type { SpecialTokens } from './tokenizer/special-tokens.ts';
export type { StreamDecoder } from './tokenizer/stream-decoder.ts';
export {
  type DecodeOptions,
  type EncodeOptions,
  loadTokenizer,
  type Tokenizer,
} from './tokenizer/tokenizer.ts';
// --- end of loading ---

// --- Engine: models, hooks, caches, adapters ---
export type { Adapter, Delta } from './adapters/adapter.ts';
export { RowCache } from './cache/row-cache.ts';
export type {
  Activation,
  LayerConfig,
  ModelConfig,
  RopeScaling,
  RotaryConfig,
} from './config/model-config.ts';
export type { BlockWeight, GlobalWeight, WeightName } from './config/weight-name.ts';
export { weightShapes } from './config/weight-shapes.ts';
export { findNonFinite, type NonFinite } from './generate/find-non-finite.ts';
export type { ChoiceContext, GenerateEvent, GenerateOptions } from './generate/generate.ts';
export { greedy } from './generate/greedy.ts';
export { discardTape } from './gradients/discard-tape.ts';
export type {
  GradientInputs,
  GradientOptions,
  Gradients,
} from './gradients/gradients.ts';
export type {
  BlockPoint,
  CapturedTensor,
  GlobalPoint,
  HookName,
  NormPoint,
  RankOf,
} from './hooks/hook-name.ts';
export {
  type DataIntervention,
  type During,
  type FunctionIntervention,
  type HookContext,
  type Intervention,
  isDataIntervention,
  type Positions,
  type Values,
} from './hooks/intervention.ts';
export {
  interventionFromJson,
  interventionKey,
  interventionToJson,
} from './hooks/intervention-json.ts';
export {
  type Axis,
  BLOCK_POINTS,
  INPUT_POINTS,
  OUTPUT_POINTS,
  type PointInfo,
} from './hooks/points.ts';
export { createModel } from './model/create-model.ts';
export {
  createRandomModel,
  type RandomModelSizes,
  randomConfig,
  randomWeights,
} from './model/create-random-model.ts';
export type { ForwardOptions, ForwardResult } from './model/forward-options.ts';
export { type LoadModelOptions, type LoadProgress, loadModel } from './model/load-model.ts';
export type { Row } from './model/row.ts';
export { type SaveModelOptions, saveModel } from './model/save-model.ts';
export type { TextCodec } from './model/text-codec.ts';
export type { Trace, TraceOptions } from './model/trace.ts';
export { Transformer, type TransformerParts } from './model/transformer.ts';
export type { KeyVisibility } from './ops/key-visibility.ts';
// --- end of engine ---

// --- Families: configs and checkpoints ---
export { type PeftModule, peftModules } from './families/peft-modules.ts';
export {
  type CanonicalWeight,
  type ReadWeightsOptions,
  readWeights,
  streamWeights,
  type WeightSource,
} from './families/read-weights.ts';
export { readModelConfig, writeModelConfig } from './families/registry.ts';
export {
  type CheckpointTensorSpec,
  checkpointLayout,
  encodeWeights,
} from './families/write-weights.ts';
// --- end of families ---

// --- Analysis and weight processing ---
export { accumulatedResidual } from './analysis/accumulated-residual.ts';
export { attributionPatching } from './analysis/attribution-patching.ts';
export { analysisPoints, type CapturedRow, type Detail } from './analysis/captured-row.ts';
export type { ComponentStack } from './analysis/component-stack.ts';
export { decomposedResidual, headContributions } from './analysis/decomposed-residual.ts';
export {
  finalNorm,
  scaledByFinalNorm,
  unembedded,
  unembeddingDirection,
} from './analysis/final-norm.ts';
export { type LogitAttribution, logitAttribution } from './analysis/logit-attribution.ts';
export { type LogitLens, logitLens } from './analysis/logit-lens.ts';
export { logitDifference, logProbability, type Metric } from './analysis/metric.ts';
export { type PatchSite, siteName } from './analysis/patch-site.ts';
export { patchingSweep, type SweepOptions } from './analysis/patching-sweep.ts';
export {
  type PathPatchingOptions,
  type PathPatchingResult,
  pathPatching,
  type Receiver,
  type Sender,
} from './analysis/path-patching.ts';
export type { PromptPair } from './analysis/prompt-pair.ts';
export type { SweepAxis, SweepResult } from './analysis/sweep-result.ts';
export { centreUnembedding, centreWritingWeights } from './processing/centre-weights.ts';
export { foldNorms } from './processing/fold-norms.ts';
export { foldValueBiases } from './processing/fold-value-biases.ts';
export { type ProcessingSteps, processWeights } from './processing/process-weights.ts';
// --- end of analysis ---

// --- For @safeinfer/finetune ---
export { normals, uniformAt } from './random/seeded-random.ts';
export { writeAtomically } from './safetensors/atomic-write.ts';
// --- end of finetune ---
