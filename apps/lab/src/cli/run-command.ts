// `safeinfer run`: checks everything, runs, writes results.jsonl, report.md, report.html, report.json, prints the table.
import { join, relative, resolve } from 'node:path';
import { type BackendName, useBackend } from '@safeinfer/backend';
import { loadExperiment } from '../config/load-experiment.ts';
import { openModel } from '../model/open-model.ts';
import { createProgressLine } from '../progress/progress-line.ts';
import { terminalTable } from '../report/format-table.ts';
import { htmlReport } from '../report/html-report.ts';
import { markdownReport } from '../report/markdown-report.ts';
import { type ReportData, reportData } from '../report/report-data.ts';
import { openRunDirectory } from '../run/run-directory.ts';
import { runExperiment } from '../run/run-experiment.ts';
import { openStore } from '../store/open-store.ts';
import { version } from './version.ts';

export interface RunFlags {
  readonly model?: string;
  readonly out?: string;
  readonly limit?: number;
  readonly backend?: string;
  readonly showHarmful?: boolean;
  /** File of finished answers; false with --no-store. */
  readonly store?: string | false;
}

export async function runCommand(options: {
  readonly experiment: string;
  readonly flags: RunFlags;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { flags, signal } = options;
  const started = performance.now();
  const loaded = loadExperiment(options.experiment);
  const experiment = flags.model === undefined ? loaded : { ...loaded, model: flags.model };
  const directory = openRunDirectory(
    flags.out ?? `runs/${experiment.name.replaceAll(/\s+/g, '-')}`,
  );
  const backend = await useBackend(
    flags.backend === undefined ? {} : { name: flags.backend as BackendName },
  );
  const progress = createProgressLine();
  const lines: string[] = [];
  using store =
    flags.store === false
      ? undefined
      : openStore(flags.store ?? join(directory.path, '..', 'store.sqlite'));
  using opened = await openModel({ name: experiment.model, signal });
  const outcome = await runExperiment({
    experiment,
    experimentFile: resolve(options.experiment),
    opened,
    limit: flags.limit,
    backend: backend.name,
    store,
    signal,
    onProgress: (update) => progress.update(update),
    onRecord: (record) => lines.push(JSON.stringify(record)),
  }).finally(() => progress.end());

  const data = reportData({
    experiment,
    records: outcome.records,
    provenance: {
      command: reproduce(options.experiment, flags),
      safeinferVersion: version,
      node: process.versions.node,
      backend: backend.name,
      model: experiment.model === 'pocket' ? '@safeinfer/pocket' : experiment.model,
      modelSha256: opened.sha256,
      datasets: outcome.benchmarks.map(({ name, style, dataset, source }) => ({
        name: `${name} (${style.id})`,
        items: dataset.items.length,
        source,
      })),
      notes: outcome.notes,
    },
  });
  const html = writeReport({ data, lines, directory, showHarmful: flags.showHarmful ?? false });
  process.stdout.write(`\n${terminalTable(data.rows)}\n\n`);
  process.stdout.write(data.limits.map((limit) => `- ${limit}\n`).join(''));
  const seconds = (performance.now() - started) / 1000;
  process.stdout.write(`\n${seconds.toFixed(0)} s; report: ${relative('.', html)}\n`);
}

function writeReport(options: {
  readonly data: ReportData;
  readonly lines: readonly string[];
  readonly directory: ReturnType<typeof openRunDirectory>;
  readonly showHarmful: boolean;
}): string {
  const { data, directory, showHarmful } = options;
  directory.write('results.jsonl', `${options.lines.join('\n')}\n`);
  const { records: _, ...summary } = data;
  directory.write('report.json', `${JSON.stringify(summary, null, 2)}\n`);
  directory.write('report.md', markdownReport(data, { showHarmful }));
  return directory.write('report.html', htmlReport(data, { showHarmful }));
}

function reproduce(experiment: string, flags: RunFlags): string {
  const options = [
    flags.model === undefined ? '' : ` --model ${flags.model}`,
    flags.limit === undefined ? '' : ` --limit ${flags.limit}`,
    flags.backend === undefined ? '' : ` --backend ${flags.backend}`,
  ];
  return `safeinfer run ${experiment}${options.join('')}`;
}
