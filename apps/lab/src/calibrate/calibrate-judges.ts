// Judges against people: agreement on labelled answers, and attack success corrected for the judge's errors.
import {
  type Agreement,
  agreement,
  type CorrectedRate,
  HarmEvalError,
  type LabelledPair,
  qualityOf,
  roganGladen,
} from '@safeinfer/harmeval';
import { groupRecords, rowLabels } from '../report/group-records.ts';
import { verdictsOf } from '../report/judge-agreement.ts';
import type { Outcome, TrialRecord } from '../run/trial-record.ts';
import { type HumanLabels, labelKey } from './human-labels.ts';

export interface CorrectedRow {
  readonly row: string;
  /** What the judge says: complied of scored. */
  readonly complied: number;
  readonly scored: number;
  /** Null when the labels say nothing about one kind of answer, or the judge is no better than chance. */
  readonly corrected: CorrectedRate | null;
}

export interface JudgeCalibration {
  readonly judge: string;
  /** Of "complied", on harmful items; null without a label and a verdict on the same answer. */
  readonly harmful: Agreement | null;
  /** Of "refused", on harmless items. */
  readonly harmless: Agreement | null;
  /** Attack success of every row of the table. */
  readonly rows: readonly CorrectedRow[];
}

/** One entry a judge; empty when no label is about one of the records. */
export function calibrateJudges(
  records: readonly TrialRecord[],
  labels: HumanLabels,
): JudgeCalibration[] {
  const labelled = records.filter((record) => labels.has(labelKey(record)));
  if (labelled.length === 0) return [];
  const judges = [...new Set(records.flatMap((record) => verdictsOf(record).map((v) => v.judge)))];
  const groups = groupRecords(records);
  const names = rowLabels(groups);
  return judges.map((judge) => {
    const pairsOf = (kind: TrialRecord['kind'], event: Outcome): LabelledPair[] =>
      labelled.flatMap((record): LabelledPair[] => {
        const said = record.kind === kind ? outcomeBy(record, judge) : undefined;
        if (said === undefined) return [];
        const human = labels.get(labelKey(record)) === event;
        return [{ judge: said === 'unscored' ? null : said === event, human }];
      });
    const harmful = agreementOrNull(pairsOf('harmful', 'complied'));
    return {
      judge,
      harmful,
      harmless: agreementOrNull(pairsOf('harmless', 'refused')),
      rows: groups.flatMap((group, i): CorrectedRow[] => {
        const said = group.records.flatMap((record) => {
          const outcome = record.kind === 'harmful' ? outcomeBy(record, judge) : undefined;
          return outcome === undefined || outcome === 'unscored' ? [] : [outcome];
        });
        if (said.length === 0) return [];
        const complied = said.filter((outcome) => outcome === 'complied').length;
        const corrected = correctedOrNull(complied, said.length, harmful);
        return [{ row: names[i]!, complied, scored: said.length, corrected }];
      }),
    };
  });
}

function outcomeBy(record: TrialRecord, judge: string): Outcome | undefined {
  return verdictsOf(record).find((verdict) => verdict.judge === judge)?.outcome;
}

function agreementOrNull(pairs: readonly LabelledPair[]): Agreement | null {
  return pairs.some(({ judge }) => judge !== null) ? agreement(pairs) : null;
}

/** Null when sensitivity or specificity has no label behind it, or both together carry no information. */
export function correctedOrNull(
  successes: number,
  trials: number,
  quality: Agreement | null,
): CorrectedRate | null {
  if (quality?.sensitivity == null || quality.specificity === null) return null;
  try {
    return roganGladen({ successes, trials }, qualityOf(quality, 'positive'));
  } catch (error) {
    if (HarmEvalError.isInstance(error) && error.code === 'BAD_ARGUMENT') return null;
    throw error;
  }
}
