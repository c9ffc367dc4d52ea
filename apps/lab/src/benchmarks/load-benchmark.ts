// A benchmark by name: a bundled set of the toy, a bundled set of @safeinfer/harmeval, or a declared set from a file.
import { dirname, resolve } from 'node:path';
import {
  type Dataset,
  datasetSpecs,
  HarmEvalError,
  loadBundledHarmful,
  loadBundledHarmless,
  loadDatasetFromFile,
  paperStyles,
  sampleDataset,
} from '@safeinfer/harmeval';
import type { BenchmarkConfig, PromptStyle } from '../config/experiment-schema.ts';
import type { Benchmark } from './benchmark.ts';
import { pocketBenchmark, pocketBenchmarks } from './pocket-benchmark.ts';

/** @throws HarmEvalError for unknown names and unusable files, before anything runs. */
export async function loadBenchmark(options: {
  readonly config: BenchmarkConfig;
  readonly style: PromptStyle;
  readonly experimentFile: string;
  readonly limit?: number | undefined;
}): Promise<Benchmark> {
  const { config, style: styleName, experimentFile } = options;
  const limit = Math.min(
    config.limit ?? Number.POSITIVE_INFINITY,
    options.limit ?? Number.POSITIVE_INFINITY,
  );
  const wanted = Number.isFinite(limit) ? limit : undefined;
  const pocket = pocketBenchmark({ name: config.use, style: styleName, limit: wanted });
  if (pocket) return pocket;
  const style = paperStyles[styleName];
  if (!style) {
    throw new HarmEvalError(`no prompt style "${styleName}"`, {
      code: 'BAD_ARGUMENT',
      hint: `use one of: ${Object.keys(paperStyles).join(', ')}`,
    });
  }
  const whole = await loadSet(config, experimentFile);
  const dataset =
    wanted === undefined || wanted >= whole.items.length
      ? whole
      : sampleDataset(whole, { limit: wanted, seed: 0, stratified: false });
  return { name: config.use, dataset, style, source: sourceOf(dataset, config) };
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
    throw new HarmEvalError(`no benchmark "${config.use}"`, {
      code: 'BAD_ARGUMENT',
      hint: `use one of: ${names.join(', ')}`,
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
