// The runs of a directory, the last few of them with their results indexed.
import { join } from 'node:path';
import {
  cellsOf,
  DISAGREEMENT_REASONS,
  disagreementQueue,
  type QueuedTrial,
  type RunDetail,
  type RunSummary,
  reportSchema,
  rowsOf,
} from '@safeinfer/viewer';
import { type LabelsFile, labelsFile } from './labels-file.ts';
import { openResults, type ResultsFile } from './results-file.ts';
import { findRuns, jsonNames, readJson, summaryOf } from './run-files.ts';
import { ViewError } from './view-error.ts';

export interface OpenRun {
  readonly id: string;
  readonly directory: string;
  readonly results: ResultsFile;
  readonly labels: LabelsFile;
  /** Every trial worth a label, in the order of the queue. */
  queue(): readonly QueuedTrial[];
  detail(): Promise<RunDetail>;
}

export interface OpenRuns {
  list(): Promise<RunSummary[]>;
  /** @throws 404 for a name that is no run of the directory. */
  open(id: string): Promise<OpenRun>;
}

/** Indexed runs kept: people compare two or three. */
const KEPT = 3;

export function openRuns(root: string): OpenRuns {
  const opened = new Map<string, Promise<OpenRun>>();
  const load = (id: string, directory: string): Promise<OpenRun> => {
    const pending = openRun(id, directory);
    opened.delete(id);
    opened.set(id, pending);
    // A run that could not be read is tried again next time.
    pending.catch(() => opened.delete(id));
    for (const oldest of opened.keys()) {
      if (opened.size <= KEPT) break;
      opened.delete(oldest);
    }
    return pending;
  };
  return {
    async list() {
      const runs = await findRuns(root);
      return Promise.all([...runs].map(([id, directory]) => summaryOf(id, directory)));
    },
    async open(id) {
      // Only what the listing names can be opened: an id is never a path.
      const directory = (await findRuns(root)).get(id);
      if (directory === undefined) throw new ViewError(404, `there is no run named ${id} here`);
      const known = opened.get(id);
      if (!known) return load(id, directory);
      const run = await known;
      return (await run.results.update()) ? run : load(id, directory);
    },
  };
}

async function openRun(id: string, directory: string): Promise<OpenRun> {
  const results = await openResults(join(directory, 'results.jsonl'));
  const labels = labelsFile(join(directory, 'labels.jsonl'));
  let queued: { readonly records: number; readonly queue: readonly QueuedTrial[] } | undefined;
  const queue = (): readonly QueuedTrial[] => {
    const records = results.records();
    if (queued?.records !== records) queued = { records, queue: disagreementQueue(results.index) };
    return queued.queue;
  };
  return {
    id,
    directory,
    results,
    labels,
    queue,
    async detail() {
      const report = await readJson(join(directory, 'report.json'), reportSchema);
      const { index } = results;
      const cells = cellsOf(index);
      return {
        id,
        summary: await summaryOf(id, directory),
        facets: index.facets,
        columns: index.columns,
        items: index.itemIds.length,
        records: results.records(),
        unreadable: results.unreadable(),
        cells,
        rows: report?.rows ?? rowsOf(index, cells),
        rowsFrom: report ? 'report.json' : 'results.jsonl',
        limits: report?.limits ?? [],
        heads: await jsonNames(join(directory, 'heads')),
        traces: await jsonNames(join(directory, 'traces')),
        disagreements: Object.fromEntries(
          DISAGREEMENT_REASONS.map((reason) => [
            reason,
            queue().filter((entry) => entry.reason === reason).length,
          ]),
        ) as RunDetail['disagreements'],
        labels: (await labels.read()).size,
      };
    },
  };
}
