// Everything a report says, as data; Markdown, HTML and JSON are three renderings of it.
import { calibrateJudges, type JudgeCalibration } from '../calibrate/calibrate-judges.ts';
import type { HumanLabels } from '../calibrate/human-labels.ts';
import {
  type PairedDifference,
  pairedDifferences,
  plannedContrasts,
} from '../compare/paired-differences.ts';
import type { Experiment } from '../config/experiment-schema.ts';
import type { TrialRecord } from '../run/trial-record.ts';
import { type CategoryRate, categoryRates } from './category-rates.ts';
import { type DoseSeries, doseSeries } from './dose-series.ts';
import { type FrontierPoint, frontier } from './frontier.ts';
import { type JudgeSection, judgeSection } from './judge-agreement.ts';
import { limitsOf } from './limits.ts';
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
  readonly comparisons: readonly PairedDifference[];
  readonly categories: readonly CategoryRate[];
  readonly frontier: readonly FrontierPoint[];
  readonly doses: readonly DoseSeries[];
  readonly judges: JudgeSection;
  /** Empty without human labels. */
  readonly calibration: readonly JudgeCalibration[];
  readonly records: readonly TrialRecord[];
  readonly limits: readonly string[];
  readonly provenance: Provenance;
}

export function reportData(options: {
  readonly experiment: Experiment;
  readonly records: readonly TrialRecord[];
  readonly provenance: Provenance;
  readonly labels?: HumanLabels;
}): ReportData {
  const { experiment, records, provenance, labels } = options;
  const rows = summarise(records);
  const comparisons = pairedDifferences(plannedContrasts(records));
  const judges = judgeSection(records);
  const calibration = labels ? calibrateJudges(records, labels) : [];
  return {
    experiment,
    rows,
    comparisons,
    categories: categoryRates(records),
    frontier: frontier(rows),
    doses: doseSeries(experiment.arms, rows),
    judges,
    calibration,
    records,
    limits: limitsOf({
      toy: provenance.model === '@safeinfer/pocket',
      rows,
      records: records.length,
      comparisons,
      judges,
      calibration,
    }),
    provenance,
  };
}
