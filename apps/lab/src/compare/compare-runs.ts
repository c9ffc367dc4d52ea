// What `safeinfer compare` compares: arms inside one run, or the same arms of two runs.
import { SafeInferError } from '@safeinfer/backend';
import { groupRecords, type RecordGroup, rowLabels } from '../report/group-records.ts';
import type { FinishedRun } from '../report/read-run.ts';
import { summarise } from '../report/summarise.ts';
import type { GateRow } from './gate.ts';
import {
  type Contrast,
  type PairedDifference,
  pairedDifferences,
  plannedContrasts,
} from './paired-differences.ts';

export interface Comparison {
  readonly differences: readonly PairedDifference[];
  readonly rows: readonly GateRow[];
}

/** @throws BAD_ARGUMENT when nothing can be paired */
export function compareRuns(options: {
  readonly runs: readonly [FinishedRun] | readonly [FinishedRun, FinishedRun];
  /** Within one run: what the others are compared with. Default: the first. */
  readonly baseline?: string | undefined;
  /** Only these arms. */
  readonly arms?: readonly string[] | undefined;
}): Comparison {
  const [first, second] = options.runs.map((run) => chosen(run, options.arms)) as [
    FinishedRun,
    FinishedRun?,
  ];
  const contrasts = second
    ? sameRows(first, second)
    : withinRun(first, options.baseline ?? options.arms?.[0]);
  const differences = pairedDifferences(contrasts);
  if (differences.length === 0) {
    throw new SafeInferError('nothing to compare: no two rows share a scored item', {
      code: 'BAD_ARGUMENT',
      hint: second
        ? 'two runs are compared arm by arm, on items that both have'
        : 'a run with one arm needs a second run to be compared with',
    });
  }
  const named = contrasts.map(({ context, baselineName, treatmentName, treatment }) => ({
    key: JSON.stringify([context, baselineName, treatmentName]),
    treatment,
  }));
  const rowsOf = (run: FinishedRun): GateRow[] =>
    groupRecords(run.records).map((group): GateRow => {
      const { edit, style, arm, records } = group;
      const own = new Set(
        named
          .filter(({ treatment }) => sameGroup(treatment, group, run === (second ?? first)))
          .map(({ key }) => key),
      );
      return {
        labels: { run: second ? run.name : '', edit, style, arm },
        rates: summarise(records)[0]!,
        answers: records.length,
        deltas: differences.filter(({ context, baselineName, treatmentName }) =>
          own.has(JSON.stringify([context, baselineName, treatmentName])),
        ),
      };
    });
  return { differences, rows: [first, ...(second ? [second] : [])].flatMap(rowsOf) };
}

function sameGroup(a: RecordGroup, b: RecordGroup, isTreatmentRun: boolean): boolean {
  return isTreatmentRun && a.edit === b.edit && a.style === b.style && a.arm === b.arm;
}

function chosen(run: FinishedRun, arms: readonly string[] | undefined): FinishedRun {
  if (arms === undefined) return run;
  const known = new Set(run.records.map(({ arm }) => arm));
  const missing = arms.find((arm) => !known.has(arm));
  if (missing !== undefined) throw unknownName(missing, [...known], run.name);
  return { ...run, records: run.records.filter(({ arm }) => arms.includes(arm)) };
}

function withinRun(run: FinishedRun, baseline: string | undefined): Contrast[] {
  if (baseline !== undefined) {
    const names = new Set(run.records.flatMap(({ arm, edit, style }) => [arm, edit, style]));
    if (!names.has(baseline)) throw unknownName(baseline, [...names], run.name);
  }
  return plannedContrasts(run.records, baseline);
}

function unknownName(name: string, known: readonly string[], run: string): SafeInferError {
  return new SafeInferError(`${run} has no "${name}"`, {
    code: 'BAD_ARGUMENT',
    hint: `use one of: ${known.join(', ')}`,
  });
}

function sameRows(first: FinishedRun, second: FinishedRun): Contrast[] {
  const baselines = groupRecords(first.records);
  const treatments = groupRecords(second.records);
  const labels = rowLabels(treatments);
  // Two directories may have the same last part.
  const name = (run: FinishedRun, other: FinishedRun): string =>
    run.name === other.name ? run.directory : run.name;
  return treatments.flatMap((treatment, i): Contrast[] => {
    const baseline = baselines.find(
      ({ edit, style, arm }) =>
        edit === treatment.edit && style === treatment.style && arm === treatment.arm,
    );
    if (!baseline) return [];
    return [
      {
        context: labels[i]!,
        baseline,
        treatment,
        baselineName: name(first, second),
        treatmentName: name(second, first),
      },
    ];
  });
}
