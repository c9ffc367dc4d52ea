// Several runs in one report: rows keep their names where they are unique, and get the run's name where they are not.
import { labelKey } from '../calibrate/human-labels.ts';
import type { FinishedRun } from './read-run.ts';
import type { ReportData } from './report-data.ts';
import { reportData } from './report-data.ts';

/** The report of one run, or of several together. */
export function reportOfRuns(runs: readonly FinishedRun[]): ReportData {
  const [first] = runs;
  if (first === undefined) throw new Error('no run to report');
  if (runs.length === 1) {
    const { saved, records, provenance, labels } = first;
    return reportData({
      experiment: saved.experiment,
      records,
      provenance,
      ...(labels === undefined ? {} : { labels }),
    });
  }
  const renamed = mustRename(runs);
  const armOf = (run: FinishedRun, arm: string): string => (renamed ? `${run.name}/${arm}` : arm);
  const records = runs.flatMap((run) =>
    run.records.map((record) => ({ ...record, arm: armOf(run, record.arm) })),
  );
  const labels = new Map(
    runs.flatMap((run) =>
      run.records.flatMap((record) => {
        const label = run.labels?.get(labelKey(record));
        return label === undefined
          ? []
          : [[labelKey({ ...record, arm: armOf(run, record.arm) }), label] as const];
      }),
    ),
  );
  const joined = (pick: (run: FinishedRun) => string): string =>
    [...new Set(runs.map(pick))].join(', ');
  return reportData({
    experiment: {
      ...first.saved.experiment,
      name: runs.map(({ name }) => name).join(' + '),
      arms: runs.flatMap((run) =>
        run.saved.experiment.arms.map((arm) => ({ ...arm, name: armOf(run, arm.name) })),
      ),
    },
    records,
    provenance: {
      command: runs.map(({ provenance }) => provenance.command).join(' && '),
      safeinferVersion: joined(({ provenance }) => provenance.safeinferVersion),
      node: joined(({ provenance }) => provenance.node),
      backend: joined(({ provenance }) => provenance.backend),
      model: joined(({ provenance }) => provenance.model),
      modelSha256: joined(({ provenance }) => provenance.modelSha256),
      datasets: distinct(runs.flatMap(({ provenance }) => provenance.datasets)),
      notes: runs.flatMap(({ name, provenance }) =>
        provenance.notes.map(({ what, text }) => ({ what: `${name}, ${what}`, text })),
      ),
    },
    ...(labels.size === 0 ? {} : { labels }),
  });
}

/** The same row in two runs, or another model, would mix what must stay apart. */
function mustRename(runs: readonly FinishedRun[]): boolean {
  const rows = runs.flatMap(({ records }) => [
    ...new Set(records.map(({ edit, style, arm }) => JSON.stringify([edit, style, arm]))),
  ]);
  const models = new Set(runs.map(({ provenance }) => provenance.modelSha256));
  return models.size > 1 || new Set(rows).size < rows.length;
}

function distinct<T>(values: readonly T[]): T[] {
  const seen = new Map(values.map((value) => [JSON.stringify(value), value]));
  return [...seen.values()];
}
