// A model directory in Hugging Face layout, written so that it is never found half done.
import { randomUUID } from 'node:crypto';
import { copyFile, mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SafeInferError, throwIfAborted } from '@safeinfer/backend';
import { configText } from '../families/config-text.ts';
import { dtypeBits } from '../safetensors/dtype.ts';
import { type TensorToWrite, writeSafetensors } from '../safetensors/write-safetensors.ts';
import type { JsonObject } from './read-json.ts';

export interface WriteModelDirectoryOptions {
  /** Made when absent. Weights and config in it are replaced, its other files stay. */
  readonly path: string;
  /** Contents of config.json. */
  readonly config: JsonObject;
  readonly tensors: Iterable<TensorToWrite>;
  /** Model directory whose tokenizer, chat templates and generation config are copied. */
  readonly copyFrom?: string;
  /** Largest weight file; above it the weights are split and an index is written. Default 5 GB. */
  readonly maxShardBytes?: number;
  readonly signal?: AbortSignal;
  /** Called after each tensor with the bytes written so far and in all. */
  readonly onProgress?: (progress: { readonly bytes: number; readonly totalBytes: number }) => void;
}

/** transformers' default up to version 4; larger files upset mirrors and slow file systems. */
const defaultShardBytes = 5_000_000_000;

const copied =
  /^(?:tokenizer\.json|tokenizer_config\.json|special_tokens_map\.json|added_tokens\.json|vocab\.json|merges\.txt|tokenizer\.model|chat_template\.(?:json|jinja)|generation_config\.json)$/;
const weightFile = /^model(?:-\d{5}-of-\d{5})?\.safetensors(?:\.index\.json)?$/;

/**
 * Writes config.json, the weights (in shards if they are large) and copies of the tokenizer files.
 * Everything is written to a folder inside `path` first and then moved, config.json last, so an
 * abort or a full disk leaves a model that was there before as it was. Weight files of an earlier
 * model that would be read in place of the new ones are removed.
 *
 * @throws SafeInferError `BAD_ARGUMENT`, `BAD_WEIGHTS`, `NOT_FOUND` (`copyFrom`), `ABORTED`
 */
export async function writeModelDirectory(options: WriteModelDirectoryOptions): Promise<void> {
  const { path, copyFrom, signal } = options;
  throwIfAborted(signal);
  const copies = copyFrom === undefined ? [] : await filesToCopy(copyFrom);
  await mkdir(path, { recursive: true });
  const staging = join(path, `.incomplete-${randomUUID().slice(0, 8)}`);
  await mkdir(staging);
  try {
    const weights = await writeWeights(staging, options);
    await writeFile(join(staging, 'config.json'), configText(options.config));
    for (const name of copies) await copyFile(join(copyFrom ?? '', name), join(staging, name));
    throwIfAborted(signal);
    const stale = (await readdir(path)).filter(
      (name) => weightFile.test(name) && !weights.includes(name),
    );
    for (const name of [...copies, ...weights]) await rename(join(staging, name), join(path, name));
    for (const name of stale) await rm(join(path, name));
    await rename(join(staging, 'config.json'), join(path, 'config.json'));
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

async function filesToCopy(directory: string): Promise<string[]> {
  const found = await stat(directory).catch(() => undefined);
  if (found?.isDirectory()) return (await readdir(directory)).filter((name) => copied.test(name));
  throw new SafeInferError(`${directory} is not a directory`, {
    code: 'NOT_FOUND',
    hint: 'copyFrom is the directory of the model whose tokenizer is to be copied',
  });
}

async function writeWeights(
  staging: string,
  options: WriteModelDirectoryOptions,
): Promise<readonly string[]> {
  const { maxShardBytes = defaultShardBytes, signal, onProgress } = options;
  const tensors = [...options.tensors];
  const shards = splitIntoShards(tensors, maxShardBytes);
  const totalBytes = tensors.reduce((sum, tensor) => sum + byteLength(tensor), 0);
  const names: string[] = [];
  const weightMap: [tensor: string, file: string][] = [];
  let before = 0;
  for (const [i, shard] of shards.entries()) {
    const number = (n: number): string => String(n).padStart(5, '0');
    const name =
      shards.length === 1
        ? 'model.safetensors'
        : `model-${number(i + 1)}-of-${number(shards.length)}.safetensors`;
    await writeSafetensors(join(staging, name), shard, {
      ...(signal === undefined ? {} : { signal }),
      onProgress: (bytes) => onProgress?.({ bytes: before + bytes, totalBytes }),
    });
    before += shard.reduce((sum, tensor) => sum + byteLength(tensor), 0);
    names.push(name);
    for (const tensor of shard) weightMap.push([tensor.name, name]);
  }
  if (shards.length > 1) {
    const index = {
      metadata: { total_size: totalBytes },
      weight_map: Object.fromEntries(weightMap),
    };
    const file = 'model.safetensors.index.json';
    await writeFile(join(staging, file), `${JSON.stringify(index, null, 2)}\n`);
    names.push(file);
  }
  return names;
}

function byteLength({ dtype, shape }: TensorToWrite): number {
  return (shape.reduce((product, size) => product * size, 1) * dtypeBits[dtype]) / 8;
}

/** Fills shards in order; a tensor larger than the limit gets one of its own. */
function splitIntoShards(tensors: readonly TensorToWrite[], limit: number): TensorToWrite[][] {
  if (!(limit > 0)) {
    throw new SafeInferError(`maxShardBytes is ${limit}`, {
      code: 'BAD_ARGUMENT',
      hint: 'give a positive number of bytes',
    });
  }
  const names = new Set(tensors.map(({ name }) => name));
  if (names.size !== tensors.length) {
    throw new SafeInferError('two tensors have the same name', {
      code: 'BAD_ARGUMENT',
      hint: 'give every tensor its own name',
    });
  }
  const shards: TensorToWrite[][] = [];
  let filled = Number.POSITIVE_INFINITY;
  for (const tensor of tensors) {
    const bytes = byteLength(tensor);
    if (filled + bytes > limit) {
      shards.push([]);
      filled = 0;
    }
    shards.at(-1)?.push(tensor);
    filled += bytes;
  }
  return shards.length === 0 ? [[]] : shards;
}
