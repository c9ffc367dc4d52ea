// Writes a model as a directory that Hugging Face's transformers loads.
import { copyFile, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { throwIfAborted } from '@safeinfer/backend';
import { configText } from '../families/config-text.ts';
import { writeModelConfig } from '../families/registry.ts';
import { encodeWeights } from '../families/write-weights.ts';
import { type TensorToWrite, writeSafetensors } from '../safetensors/write-safetensors.ts';
import type { TextCodec } from './text-codec.ts';
import type { Transformer } from './transformer.ts';

export interface SaveModelOptions {
  /** Directory to write; made when absent. Files of the same names are replaced. */
  readonly path: string;
  /** How weights are stored; default 'F32', which loses nothing. */
  readonly dtype?: 'F32' | 'F16' | 'BF16';
  /** Directory whose tokenizer and chat template files are copied beside the weights. */
  readonly tokenizerFrom?: string;
  readonly signal?: AbortSignal;
}

/** Files that belong to a tokenizer, by the names that transformers gives them. */
const TOKENIZER_FILE =
  /^(tokenizer(_config)?\.json|special_tokens_map\.json|added_tokens\.json|vocab\.json|merges\.txt|chat_template\.(json|jinja)|generation_config\.json)$/;

/**
 * Saves config.json and model.safetensors, fused as the family fuses them. Adapters are not saved: add them
 * to the weights first. Holds one more copy of the weights in memory while it writes.
 *
 * @throws SafeInferError `UNSUPPORTED` when the family's format cannot express this model, `BAD_WEIGHTS`,
 *   `ABORTED`
 */
export async function saveModel<T extends TextCodec>(
  model: Transformer<T>,
  options: SaveModelOptions,
): Promise<void> {
  const { path, dtype = 'F32', tokenizerFrom, signal } = options;
  const { config, weights } = model;
  const json = { ...writeModelConfig(config), torch_dtype: TORCH_NAME[dtype] };
  const read = async (name: Parameters<typeof weights.get>[0]): Promise<Float32Array> =>
    (await weights.get(name)?.data()) as Float32Array;
  const tensors: TensorToWrite[] = [];
  for await (const { name, shape, data } of encodeWeights({ config, read })) {
    throwIfAborted(signal);
    tensors.push({ name, shape, data, dtype });
  }
  await mkdir(path, { recursive: true });
  await writeSafetensors(
    join(path, 'model.safetensors'),
    tensors,
    signal === undefined ? {} : { signal },
  );
  await writeFile(join(path, 'config.json'), configText(json));
  if (tokenizerFrom === undefined) return;
  for (const name of await readdir(tokenizerFrom)) {
    if (TOKENIZER_FILE.test(name)) await copyFile(join(tokenizerFrom, name), join(path, name));
  }
}

const TORCH_NAME = { F32: 'float32', F16: 'float16', BF16: 'bfloat16' } as const;
