// The weights of a model directory, whether they lie in one safetensors file or in shards.
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SafeInferError } from '@safeinfer/backend';
import { quoted } from './bad-safetensors.ts';
import type { TensorInfo } from './header.ts';
import {
  openSafetensors,
  type ReadOptions,
  type SafetensorsFile,
  type TensorData,
} from './safetensors-file.ts';
import { readShardIndex, type WeightMap } from './shard-index.ts';

/** A tensor of a checkpoint and the file that holds it. */
export interface CheckpointTensor extends TensorInfo {
  readonly file: string;
}

/** Open weights; every read goes to the right file by byte range. Close it, or use `await using`. */
export interface Checkpoint extends AsyncDisposable {
  /** The directory or file that was opened. */
  readonly path: string;
  readonly files: readonly string[];
  readonly tensors: ReadonlyMap<string, CheckpointTensor>;
  /** `__metadata__` of all files; with shards the first file that states a key wins. */
  readonly metadata: ReadonlyMap<string, string>;
  /** Tensors that lie in a shard but that the index does not list there; they cannot be read. */
  readonly unlisted: readonly string[];
  /** See `SafetensorsFile.read`. */
  read(name: string, options?: ReadOptions): Promise<TensorData>;
  readFloat64(name: string, options?: ReadOptions): Promise<Float64Array>;
  readRaw(name: string, options?: Pick<ReadOptions, 'signal'>): Promise<Uint8Array>;
  close(): Promise<void>;
}

const singleFile = 'model.safetensors';
const indexFile = 'model.safetensors.index.json';

/**
 * Opens the weights of a model: a directory with `model.safetensors` or, failing that, with
 * `model.safetensors.index.json` (the order of transformers), or one `.safetensors` file. Every
 * header is read once and checked; each tensor of the index must lie in its shard.
 *
 * @throws SafeInferError `NOT_FOUND` (no weights), `UNSUPPORTED` (only pickled weights), `BAD_FILE`
 */
export async function openCheckpoint(path: string): Promise<Checkpoint> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) {
    throw new SafeInferError(`${path} does not exist`, {
      code: 'NOT_FOUND',
      hint: 'give the directory of a model, or one .safetensors file',
    });
  }
  if (!found.isDirectory()) {
    const file = await openSafetensors(path);
    return checkpointOf(path, new Map([[path, file]]), undefined);
  }
  const names = new Set(await readdir(path));
  if (names.has(singleFile)) {
    const file = await openSafetensors(join(path, singleFile));
    return checkpointOf(path, new Map([[singleFile, file]]), undefined);
  }
  if (names.has(indexFile)) {
    const index = await readShardIndex(join(path, indexFile));
    return openShards(path, index);
  }
  throw noWeights(path, names);
}

function noWeights(path: string, names: ReadonlySet<string>): SafeInferError {
  const pickle = [...names].find((name) => /\.(bin|pt|pth|ckpt)$/.test(name));
  if (pickle !== undefined) {
    return new SafeInferError(`${path} holds only pickled weights (${pickle})`, {
      code: 'UNSUPPORTED',
      hint:
        'a pickle can run code when it is read; convert it once in Python with ' +
        'AutoModelForCausalLM.from_pretrained(dir).save_pretrained(out), which writes model.safetensors',
    });
  }
  const other = [...names].filter((name) => name.endsWith('.safetensors'));
  const seen = other.length > 0 ? `; it does hold ${other.slice(0, 5).join(', ')}` : '';
  return new SafeInferError(`${path} holds neither ${singleFile} nor ${indexFile}${seen}`, {
    code: 'NOT_FOUND',
    hint: 'give the folder that has config.json and the weights, or open one .safetensors file by its path',
  });
}

async function openShards(directory: string, index: WeightMap): Promise<Checkpoint> {
  const files = new Map<string, SafetensorsFile>();
  try {
    for (const name of new Set(index.values())) {
      files.set(name, await openSafetensors(join(directory, name)));
    }
    return checkpointOf(directory, files, index);
  } catch (error) {
    await closeAll(files);
    throw error;
  }
}

async function closeAll(files: ReadonlyMap<string, SafetensorsFile>): Promise<void> {
  await Promise.all([...files.values()].map((file) => file.close()));
}

function checkpointOf(
  path: string,
  files: ReadonlyMap<string, SafetensorsFile>,
  index: WeightMap | undefined,
): Checkpoint {
  const tensors = new Map<string, CheckpointTensor>();
  const metadata = new Map<string, string>();
  const unlisted: string[] = [];
  for (const [file, opened] of files) {
    for (const [key, value] of opened.metadata) if (!metadata.has(key)) metadata.set(key, value);
    for (const [name, info] of opened.tensors) {
      if (index === undefined || index.get(name) === file) tensors.set(name, { ...info, file });
      else unlisted.push(name);
    }
  }
  checkIndex(path, tensors, { index, files });
  const owner = (name: string): SafetensorsFile => {
    const file = files.get(tensors.get(name)?.file ?? '');
    if (file !== undefined) return file;
    throw new SafeInferError(`${path} holds no tensor named '${name}'`, {
      code: 'BAD_WEIGHTS',
      hint: 'list the names with [...checkpoint.tensors.keys()]',
    });
  };
  const close = (): Promise<void> => closeAll(files);
  return {
    path,
    files: [...files.keys()],
    tensors,
    metadata,
    unlisted,
    read: async (name, options) => owner(name).read(name, options),
    readFloat64: async (name, options) => owner(name).readFloat64(name, options),
    readRaw: async (name, options) => owner(name).readRaw(name, options),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Every tensor that the index names must lie in the shard that it names. */
function checkIndex(
  path: string,
  tensors: ReadonlyMap<string, CheckpointTensor>,
  shards: {
    readonly index: WeightMap | undefined;
    readonly files: ReadonlyMap<string, SafetensorsFile>;
  },
): void {
  for (const [name, file] of shards.index ?? []) {
    if (tensors.has(name)) continue;
    const actual = [...shards.files].find(([, opened]) => opened.tensors.has(name))?.[0];
    const where = actual === undefined ? 'no shard holds it' : `it lies in ${actual}`;
    throw new SafeInferError(`${path}: the index places ${quoted(name)} in ${file}, but ${where}`, {
      code: 'BAD_WEIGHTS',
      hint: 'index and shards come from different downloads; fetch all of them at one revision',
    });
  }
}
