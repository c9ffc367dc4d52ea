// Loads a model directory in Hugging Face layout: config.json, safetensors, tokenizer.json.
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SafeInferError, throwIfAborted } from '@safeinfer/backend';
import * as tf from '@tensorflow/tfjs-core';
import type { WeightName } from '../config/weight-name.ts';
import { weightShapes } from '../config/weight-shapes.ts';
import { streamWeights } from '../families/read-weights.ts';
import { readModelConfig } from '../families/registry.ts';
import type { DownloadProgress } from '../hub/download-model.ts';
import { resolveModel } from '../hub/resolve-model.ts';
import { readJsonFile } from '../loading/read-json.ts';
import { openCheckpoint } from '../safetensors/checkpoint.ts';
import { loadTokenizer, type Tokenizer } from '../tokenizer/tokenizer.ts';
import { Transformer } from './transformer.ts';

export interface LoadProgress {
  /** The weight just read. */
  readonly weight: WeightName;
  readonly done: number;
  readonly total: number;
  readonly bytes: number;
  readonly totalBytes: number;
}

export interface LoadModelOptions {
  /** A directory that holds config.json and the weights, or `org/name` as on the Hub. */
  readonly path: string;
  /** Branch, tag or commit of a model on the Hub. Default `main`. */
  readonly revision?: string;
  /** Use no network: a name must be in the cache. Default: what HF_HUB_OFFLINE says. */
  readonly offline?: boolean;
  readonly onDownload?: (progress: DownloadProgress) => void;
  /** What to do with tensors that no weight needs; default 'error', since they may carry part of the model. */
  readonly unexpected?: 'error' | 'ignore';
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: LoadProgress) => void;
}

/** Largest config.json: real ones stay below 100 KB, label maps included. */
const CONFIG_BYTES = 16 * 1024 * 1024;

/**
 * A model with its tokenizer (when tokenizer.json is there). A name is looked up in the cache that Python's
 * `huggingface_hub` uses, and downloaded into it when absent and the network is allowed. Weights are read one
 * by one and checked before the first is read; memory stays near the size of the model in fp32.
 *
 * @throws SafeInferError `NOT_FOUND`, `BAD_FILE`, `BAD_CONFIG`, `BAD_WEIGHTS`, `UNSUPPORTED`, `BAD_TOKENIZER`,
 *   `OFFLINE`, `IO`, `ABORTED`; nothing is leaked
 */
export async function loadModel(options: LoadModelOptions): Promise<Transformer<Tokenizer>> {
  const { path, revision, offline, signal, onDownload, onProgress, unexpected } = options;
  const directory = await resolveModel(path, {
    ...(revision === undefined ? {} : { revision }),
    ...(offline === undefined ? {} : { offline }),
    ...(signal === undefined ? {} : { signal }),
    ...(onDownload === undefined ? {} : { onProgress: onDownload }),
  });
  const json = await readJsonFile(join(directory, 'config.json'), { maxBytes: CONFIG_BYTES });
  if (json === undefined) {
    throw new SafeInferError(`${directory} has no config.json`, {
      code: 'NOT_FOUND',
      hint: 'give the directory of a model in Hugging Face layout',
    });
  }
  const config = readModelConfig(json);
  const tokenizer = (await exists(join(directory, 'tokenizer.json')))
    ? await loadTokenizer(directory)
    : undefined;
  await using checkpoint = await openCheckpoint(directory);
  const shapes = weightShapes(config);
  const totalBytes = 4 * [...shapes.values()].reduce((sum, shape) => sum + sizeOf(shape), 0);
  const weights = new Map<WeightName, tf.Tensor>();
  let bytes = 0;
  try {
    const source = streamWeights({
      checkpoint,
      config,
      ...(unexpected === undefined ? {} : { unexpected }),
      ...(signal === undefined ? {} : { signal }),
    });
    for await (const [weight, { shape, data }] of source) {
      weights.set(weight, tf.keep(tf.tensor(data, [...shape])));
      bytes += data.byteLength;
      onProgress?.({ weight, done: weights.size, total: shapes.size, bytes, totalBytes });
    }
    throwIfAborted(signal);
    return new Transformer({ config, weights, tokenizer });
  } catch (error) {
    for (const tensor of weights.values()) tensor.dispose();
    throw error;
  }
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, axis) => product * axis, 1);
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
