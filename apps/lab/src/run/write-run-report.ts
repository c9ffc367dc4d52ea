// The report files of a finished run.

import { version } from '../cli/version.ts';
import type { ModelFacts } from '../model/open-model.ts';
import type { ExperimentPlan } from '../plan/plan-experiment.ts';
import { terminalTable } from '../report/format-table.ts';
import { reportData } from '../report/report-data.ts';
import { writeReport } from '../report/write-report.ts';
import type { SavedRun } from './experiment-file.ts';
import type { RunDirectory } from './run-directory.ts';
import type { TrialRecord } from './trial-record.ts';

export interface RunReport {
  /** Path of the HTML report. */
  readonly html: string;
  /** The result table, for a terminal. */
  readonly table: string;
  readonly limits: readonly string[];
}

export async function writeRunReport(options: {
  readonly run: SavedRun;
  readonly plan: ExperimentPlan;
  readonly records: readonly TrialRecord[];
  readonly notes: readonly { readonly what: string; readonly text: string }[];
  readonly directory: RunDirectory;
  readonly backend: string;
  readonly model: ModelFacts;
  readonly showHarmful: boolean;
}): Promise<RunReport> {
  const { run, plan, directory, showHarmful, model } = options;
  const { experiment } = run;
  const data = reportData({
    experiment,
    records: options.records,
    provenance: {
      command: run.command,
      safeinferVersion: version,
      node: process.versions.node,
      backend: options.backend,
      model: experiment.model === 'pocket' ? '@safeinfer/pocket' : experiment.model,
      modelSha256: model.sha256,
      datasets: plan.benchmarks.map(({ name, style, dataset, source }) => ({
        name: `${name} (${style.id})`,
        items: dataset.items.length,
        source,
      })),
      notes: options.notes,
    },
  });
  const html = await writeReport({ data, directory, showHarmful });
  return { html, table: terminalTable(data.rows), limits: data.limits };
}
