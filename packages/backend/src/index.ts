// Public API of @safeinfer/backend.
export { ACTIVATION_LOOPS } from './activation-loops.ts';
export { BACKEND_ORDER, type BackendName, TF_BACKEND } from './backend-name.ts';
export {
  type BackendFacts,
  describeBackends,
  type MachineFacts,
} from './describe-backends.ts';
export type { Started, StartOptions, WeightPrecision } from './detect/candidate.ts';
export { einsum } from './einsum.ts';
export {
  type FusedActivation,
  type FusedBlock,
  type FusedDelta,
  type FusedDeltaScales,
  type FusedDeltas,
  type FusedKernelName,
  type FusedKernels,
  hasFusedKernel,
  prepareFusedBlock,
  runFused,
  runFusedBlock,
  runFusedHeads,
} from './fused-kernels.ts';
export { guardedWhere } from './gradients/guarded-where.ts';
export { stopGradient } from './gradients/stop-gradient.ts';
export { repairCpuKernels } from './kernels/cpu-kernels.ts';
export { registerWasmKernels } from './kernels/wasm-kernels.ts';
export { registerWebgpuKernels } from './kernels/webgpu-kernels.ts';
export { markConstant } from './mark-constant.ts';
export { keepOnly, TensorScope, tensorsIn, withTensors } from './memory-scope.ts';
export { nextTurn } from './next-turn.ts';
export { prepareTfjs } from './prepare-tfjs.ts';
export { assertFinite, readTensor } from './read-tensor.ts';
export { type RotaryPairs, rotaryPairs } from './rotary-pairs.ts';
export {
  type ErrorCode,
  SafeInferError,
  type SafeInferErrorOptions,
  throwIfAborted,
} from './safe-infer-error.ts';
export {
  hasTrainingKernel,
  runTrainingKernel,
  TRAINING_SAVES,
  type TrainedAttentionAttrs,
  type TrainedLinear,
  type TrainedMlpAttrs,
  type TrainedNorm,
  type TrainingKernelName,
  type TrainingKernels,
  trainedNames,
} from './training-kernels.ts';
export {
  type BackendReport,
  type NotTaken,
  type UseBackendOptions,
  useBackend,
} from './use-backend.ts';
