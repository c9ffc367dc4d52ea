// Datasets from the local disk.
import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { HarmEvalError } from '../harm-eval-error.ts';
import { type Dataset, loadDataset } from './dataset.ts';
import type { DatasetSource, DatasetSpec } from './dataset-spec.ts';
import { matchingPath } from './matching-path.ts';
import type { DatasetFiles, ReadSourceOptions } from './read-source.ts';

/**
 * Reads the files of a dataset. `path` is the file itself for sets of one file, or the directory that holds all of them
 * (under their declared paths or flat).
 * @throws HarmEvalError `NOT_FOUND`
 */
export async function readDatasetFiles<T>(
  source: DatasetSource<T>,
  path: string,
): Promise<DatasetFiles> {
  if (source.files.length === 1) {
    const direct = await readIfPresent(path);
    if (direct !== undefined) return { [basename(path)]: direct };
  }
  const present = await readdir(path, { recursive: true }).catch(() => []);
  const entries: [string, Uint8Array][] = [];
  for (const { path: declared } of source.files) {
    const found =
      matchingPath(declared, present) ??
      present.find((file) => basename(file) === basename(declared));
    const bytes = found === undefined ? undefined : await readIfPresent(join(path, found));
    if (found === undefined || bytes === undefined) {
      throw new HarmEvalError(`${source.name}: ${declared} was not found at ${path}`, {
        code: 'NOT_FOUND',
        hint: 'pass the path of the file, or of the directory that holds it',
        location: { file: declared },
      });
    }
    entries.push([source.files.length === 1 ? found : declared, bytes]);
  }
  return Object.fromEntries(entries);
}

/** Loads a declared set from a file or a directory. */
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
