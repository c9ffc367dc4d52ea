// Loads the bundled sets from the package's own data folder.
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Dataset } from '../datasets/dataset.ts';
import { loadDatasetFromFile } from '../datasets/load-dataset-file.ts';
import { bundledHarmful, bundledHarmless } from './bundled-specs.ts';

/** The package refers to itself by name, so that the path is right from sources and from the built file. */
function dataFile(name: string): string {
  const manifest = createRequire(import.meta.url).resolve('@safeinfer/harmeval/package.json');
  return join(dirname(manifest), 'data', name);
}

/** 210 harmful questions over HarmEval's remaining ten categories. */
export async function loadBundledHarmful(): Promise<Dataset> {
  return loadDatasetFromFile(bundledHarmful, dataFile('harmful-questions.jsonl'));
}

/** 210 harmless look-alikes over XSTest's ten safe types. */
export async function loadBundledHarmless(): Promise<Dataset> {
  return loadDatasetFromFile(bundledHarmless, dataFile('harmless-look-alikes.jsonl'));
}
