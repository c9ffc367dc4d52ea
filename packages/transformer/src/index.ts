// Public API of @safeinfer/transformer.

// --- Loading: weights, hub, tokenizer, chat template ---
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
// --- end of loading ---
