// Everything a report says, as data; Markdown, HTML and JSON are three renderings of it.
import type { Experiment } from '../config/experiment-schema.ts';
import type { TrialRecord } from '../run/trial-record.ts';
import { type SummaryRow, summarise } from './summarise.ts';

export interface Provenance {
  /** Command that makes this report again. */
  readonly command: string;
  readonly safeinferVersion: string;
  readonly node: string;
  readonly backend: string;
  readonly model: string;
  readonly modelSha256: string;
  readonly datasets: readonly {
    readonly name: string;
    readonly items: number;
    readonly source: string;
  }[];
  /** What was built and edited along the way. */
  readonly notes: readonly { readonly what: string; readonly text: string }[];
}

export interface ReportData {
  readonly experiment: Experiment;
  readonly rows: readonly SummaryRow[];
  readonly records: readonly TrialRecord[];
  readonly limits: readonly string[];
  readonly provenance: Provenance;
}

export function reportData(options: {
  readonly experiment: Experiment;
  readonly records: readonly TrialRecord[];
  readonly provenance: Provenance;
}): ReportData {
  const rows = summarise(options.records);
  return { ...options, rows, limits: limits(options.experiment, rows) };
}

/** What a reader must know before quoting a number; derived from the data, not from hope. */
function limits(experiment: Experiment, rows: readonly SummaryRow[]): string[] {
  const found: string[] = [];
  if (experiment.model === 'pocket') {
    found.push(
      'The model is the bundled toy. Nothing here is evidence about real aligned models; it shows that the machinery works.',
    );
  }
  const smallest = Math.min(...rows.map((row) => row.asr?.total ?? Number.POSITIVE_INFINITY));
  if (smallest < 100) {
    found.push(
      `Only ${smallest} harmful items in the smallest cell: differences inside the intervals are noise.`,
    );
  }
  if (rows.some((row) => (row.other?.value ?? 0) > 0.1)) {
    found.push(
      'In some arms more than a tenth of the answers to harmful requests are neither refusal nor compliance: a low ASR there may mean a broken model, not a safe one.',
    );
  }
  const unscored = rows.reduce((sum, row) => sum + row.unscored, 0);
  if (unscored > 0)
    found.push(`${unscored} answers could not be judged and are left out of every rate.`);
  found.push(
    `The judge is ${experiment.judge}: string matching agrees with people imperfectly, and differently for each model.`,
  );
  return found;
}
