// Which files of a repository make up a model, and which of them a directory still lacks.
import { join } from 'node:path';
import { SafeInferError } from '@safeinfer/backend';
import { readShardIndex } from '../safetensors/shard-index.ts';
import { isFile } from './hub-cache.ts';

export const singleWeights = 'model.safetensors';
export const weightIndex = 'model.safetensors.index.json';

/**
 * The files to fetch before the shards are known: config, tokenizer, templates, licence, and the
 * single weight file or the index. Other formats of the same weights are left out.
 *
 * @throws SafeInferError `UNSUPPORTED` when the repository has no safetensors weights
 */
export function modelFiles(paths: readonly string[]): readonly string[] {
  const all = new Set(paths);
  if (!all.has('config.json')) {
    throw new SafeInferError('the repository has no config.json', {
      code: 'UNSUPPORTED',
      hint: 'this is not a model in the layout of transformers (an adapter, a GGUF file, a data set?)',
    });
  }
  const weights = [singleWeights, weightIndex].find((name) => all.has(name));
  if (weights === undefined) {
    throw new SafeInferError('the repository has no safetensors weights', {
      code: 'UNSUPPORTED',
      hint:
        'look for a revision of it that has them (often refs/pr/N on the Hub), or convert it once ' +
        'in Python with save_pretrained',
    });
  }
  const small = paths.filter(
    (path) =>
      /^[^/]+\.(json|jinja)$/.test(path) ||
      /^additional_chat_templates\/[^/]+\.jinja$/.test(path) ||
      /^(LICENSE|LICENCE|NOTICE|USE_POLICY)[^/]*$/i.test(path),
  );
  return [...new Set([...small.filter((path) => path !== weightIndex), weights])];
}

/** Files that a model directory still lacks; empty when it can be loaded. */
export async function missingModelFiles(directory: string): Promise<readonly string[]> {
  const lacks = async (names: Iterable<string>): Promise<string[]> => {
    const missing: string[] = [];
    for (const name of names) if (!(await isFile(join(directory, name)))) missing.push(name);
    return missing;
  };
  const config = await lacks(['config.json']);
  if (await isFile(join(directory, singleWeights))) return config;
  const index = join(directory, weightIndex);
  if (!(await isFile(index))) return [...config, singleWeights];
  return [...config, ...(await lacks(new Set((await readShardIndex(index)).values())))];
}
