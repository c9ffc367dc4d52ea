// `model.safetensors.index.json`: which file of a sharded checkpoint holds each tensor.
import { SafeInferError } from '@safeinfer/backend';
import { isJsonObject, readJsonFile } from '../loading/read-json.ts';
import { quoted } from './bad-safetensors.ts';

/** Tensor name to shard file name, both as the index states them. */
export type WeightMap = ReadonlyMap<string, string>;

/** About 1e6 entries of 64 bytes; the largest open checkpoints have 1e5. */
const maxIndexBytes = 64 * 1024 * 1024;
/** Every shard stays open while the checkpoint is; the usual limit of a process is 1,024 files. */
const maxShards = 512;

function badIndex(path: string, reason: string): SafeInferError {
  return new SafeInferError(`${path}: not a valid shard index: ${reason}`, {
    code: 'BAD_FILE',
    hint: 'download the index again; it must be {"weight_map": {"<tensor>": "<file in the same folder>"}}',
  });
}

/**
 * Reads a shard index. A shard must be a plain `.safetensors` file name: anything that could leave
 * the folder (separators, `..`, a drive, a NUL) is refused.
 */
export async function readShardIndex(path: string): Promise<WeightMap> {
  const index = await readJsonFile(path, { maxBytes: maxIndexBytes });
  if (index === undefined) throw badIndex(path, 'there is no such file');
  const weights = index['weight_map'];
  if (!isJsonObject(weights)) throw badIndex(path, "no object 'weight_map'");
  // Object.entries: JSON.parse makes `__proto__` an own property, so no name is special here.
  const map = new Map<string, string>();
  for (const [tensor, file] of Object.entries(weights)) {
    if (typeof file !== 'string') throw badIndex(path, `${quoted(tensor)} maps to no file name`);
    if (!isPlainFileName(file)) {
      throw badIndex(path, `shard ${quoted(file)} is not a plain .safetensors file name`);
    }
    map.set(tensor, file);
  }
  if (map.size === 0) throw badIndex(path, "'weight_map' is empty");
  const shards = new Set(map.values()).size;
  if (shards > maxShards) throw badIndex(path, `${shards} shards, more than ${maxShards}`);
  return map;
}

function isPlainFileName(name: string): boolean {
  return name.length <= 255 && /^[^/\\:\p{Cc}]+\.safetensors$/u.test(name) && !name.startsWith('.');
}
