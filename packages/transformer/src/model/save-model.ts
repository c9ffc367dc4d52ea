// Writes a model as a directory that Hugging Face's transformers loads.
import { writeModelConfig } from '../families/registry.ts';
import { checkpointTensors } from '../families/write-weights.ts';
import { writeModelDirectory } from '../loading/write-model-directory.ts';
import type { TextCodec } from './text-codec.ts';
import type { Transformer } from './transformer.ts';

export interface SaveModelOptions {
  /** Directory to write; made when absent. Weights and config in it are replaced, its other files stay. */
  readonly path: string;
  /** How weights are stored; default 'F32', which loses nothing. */
  readonly dtype?: 'F32' | 'F16' | 'BF16';
  /** Model directory whose tokenizer, chat template and generation config are copied. */
  readonly tokenizerFrom?: string;
  /** Largest weight file; above it the weights are split and an index is written. Default 5 GB. */
  readonly maxShardBytes?: number;
  readonly signal?: AbortSignal;
  /** Called after each tensor with the bytes written so far and in all. */
  readonly onProgress?: (progress: { readonly bytes: number; readonly totalBytes: number }) => void;
}

/**
 * Saves config.json and the weights, fused as the family fuses them; the directory is replaced whole or not at all.
 * Adapters are not saved: add them to the weights first. Holds one tensor at a time beside the model.
 *
 * @throws SafeInferError `UNSUPPORTED` when the family's format cannot express this model, `BAD_WEIGHTS`,
 *   `NOT_FOUND` (`tokenizerFrom`), `ABORTED`
 */
export async function saveModel<T extends TextCodec>(
  model: Transformer<T>,
  options: SaveModelOptions,
): Promise<void> {
  const { path, dtype = 'F32', tokenizerFrom, maxShardBytes, signal, onProgress } = options;
  const { config, weights } = model;
  const tensors = checkpointTensors({
    config,
    read: async (name) => (await weights.get(name)?.data()) as Float32Array,
  });
  await writeModelDirectory({
    path,
    config: { ...writeModelConfig(config), torch_dtype: TORCH_NAME[dtype] },
    tensors: tensors.map((tensor) => ({ ...tensor, dtype })),
    ...(tokenizerFrom === undefined ? {} : { copyFrom: tokenizerFrom }),
    ...(maxShardBytes === undefined ? {} : { maxShardBytes }),
    ...(signal === undefined ? {} : { signal }),
    ...(onProgress === undefined ? {} : { onProgress }),
  });
}

const TORCH_NAME = { F32: 'float32', F16: 'float16', BF16: 'bfloat16' } as const;
