// Loads utility sets: the same checks as for prompts, other items.
import type { DatasetSource } from '../datasets/dataset-spec.ts';
import { type DownloadOptions, downloadDatasetFiles } from '../datasets/download-dataset.ts';
import { readDatasetFiles } from '../datasets/load-dataset-file.ts';
import { type LoadReport, type ReadSourceOptions, readSource } from '../datasets/read-source.ts';

export interface UtilitySet<T> {
  readonly name: string;
  readonly revision: string;
  readonly items: readonly T[];
  readonly report: LoadReport;
}

/** Reads a utility set from a file or directory. */
export async function loadUtilityFromFile<T>(
  source: DatasetSource<T>,
  path: string,
  options: ReadSourceOptions = {},
): Promise<UtilitySet<T>> {
  return utilitySet(source, await readDatasetFiles(source, path), options);
}

/** Downloads a utility set. */
export async function downloadUtility<T>(
  source: DatasetSource<T>,
  options: DownloadOptions & ReadSourceOptions = {},
): Promise<UtilitySet<T>> {
  return utilitySet(source, await downloadDatasetFiles(source, options), options);
}

async function utilitySet<T>(
  source: DatasetSource<T>,
  files: Readonly<Record<string, Uint8Array>>,
  options: ReadSourceOptions,
): Promise<UtilitySet<T>> {
  const { records, report } = await readSource(source, files, options);
  return {
    name: source.name,
    revision: source.revision,
    items: records.map(({ item }) => item),
    report,
  };
}
