// A benchmark by name: a bundled set of the toy, a bundled set of @safeinfer/harmeval, or a declared set from a file.
import { dirname, resolve } from 'node:path';
import {
  type Dataset,
  datasetSpecs,
  HarmEvalError,
  loadBundledHarmful,
  loadBundledHarmless,
  loadDatasetFromFile,
  sampleDataset,
} from '@safeinfer/harmeval';
import type { BenchmarkConfig } from '../config/experiment-schema.ts';
import { nearestName } from '../config/nearest-name.ts';
import type { PromptConfig } from '../config/prompt-schema.ts';
import type { Benchmark } from './benchmark.ts';
import { composeStyle, wordingOf } from './compose-style.ts';
import { pocketBenchmark, pocketBenchmarks } from './pocket-benchmark.ts';

/** @throws HarmEvalError for unknown names and unusable files, before anything runs. */
export async function loadBenchmark(options: {
  readonly config: BenchmarkConfig;
  readonly style: PromptConfig;
  readonly experimentFile: string;
  readonly limit?: number | undefined;
}): Promise<Benchmark> {
  const { config, style: prompt, experimentFile } = options;
  const limit = Math.min(
    config.limit ?? Number.POSITIVE_INFINITY,
    options.limit ?? Number.POSITIVE_INFINITY,
  );
  const wanted = Number.isFinite(limit) ? limit : undefined;
  const wording = wordingOf(prompt);
  const pocket = pocketBenchmark({ name: config.use, style: wording, limit: wanted });
  const style = composeStyle({ prompt, ownWording: pocket !== undefined, experimentFile });
  const name = config.name ?? config.use;
  if (pocket) return { ...pocket, name, style };
  const whole = await loadSet(config, experimentFile);
  const dataset =
    wanted === undefined || wanted >= whole.items.length
      ? whole
      : sampleDataset(whole, { limit: wanted, seed: 0, stratified: false });
  return { name, dataset, style, source: sourceOf(dataset, config) };
}

async function loadSet(config: BenchmarkConfig, experimentFile: string): Promise<Dataset> {
  if (config.use === 'bundled-harmful') return loadBundledHarmful();
  if (config.use === 'bundled-harmless') return loadBundledHarmless();
  const spec = datasetSpecs[config.use];
  if (!spec) {
    const names = [
      ...pocketBenchmarks,
      'bundled-harmful',
      'bundled-harmless',
      ...Object.keys(datasetSpecs),
    ];
    const near = nearestName(config.use, names);
    throw new HarmEvalError(`no benchmark "${config.use}"`, {
      code: 'BAD_ARGUMENT',
      hint: `${near === undefined ? '' : `did you mean "${near}"? `}use one of: ${names.join(', ')}`,
    });
  }
  if (config.path === undefined) {
    throw new HarmEvalError(`benchmark "${config.use}" needs \`path\`: its file is not bundled`, {
      code: 'BAD_ARGUMENT',
      hint: 'paths in an experiment are relative to the experiment file',
    });
  }
  return loadDatasetFromFile(spec, resolve(dirname(experimentFile), config.path));
}

function sourceOf({ report, revision }: Dataset, { path }: BenchmarkConfig): string {
  const place = path === undefined ? 'bundled' : 'local file';
  const dropped = report.droppedMinors > 0 ? `, ${report.droppedMinors} rows dropped` : '';
  return `${place}, revision ${revision}, sha256 ${report.sha256.slice(0, 12)}${dropped}`;
}
