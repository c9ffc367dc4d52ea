// Datasets from the local disk.
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { HarmEvalError } from '../harm-eval-error.ts';
import { type Dataset, loadDataset } from './dataset.ts';
import type { DatasetSource, DatasetSpec } from './dataset-spec.ts';
import type { DatasetFiles, ReadSourceOptions } from './read-source.ts';

/**
 * Reads the files of a dataset. `path` is the file itself for sets of one file, or the directory that holds all of them
 * (under their declared paths or flat).
 */
export async function readDatasetFiles<T>(
  source: DatasetSource<T>,
  path: string,
): Promise<DatasetFiles> {
  const [only] = source.files;
  if (source.files.length === 1 && only !== undefined) {
    const direct = await readIfPresent(path);
    if (direct !== undefined) return { [only.path]: direct };
  }
  const entries: [string, Uint8Array][] = [];
  for (const { path: declared } of source.files) {
    const bytes =
      (await readIfPresent(join(path, declared))) ??
      (await readIfPresent(join(path, basename(declared))));
    if (bytes === undefined) {
      throw new HarmEvalError(`${source.name}: ${declared} was not found at ${path}`, {
        code: 'NOT_FOUND',
        hint: 'pass the path of the file, or of the directory that holds it',
        location: { file: declared },
      });
    }
    entries.push([declared, bytes]);
  }
  return Object.fromEntries(entries);
}

export async function loadDatasetFromFile(
  spec: DatasetSpec,
  path: string,
  options: ReadSourceOptions = {},
): Promise<Dataset> {
  return loadDataset(spec, await readDatasetFiles(spec, path), options);
}

async function readIfPresent(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR') return undefined;
    throw error;
  }
}
