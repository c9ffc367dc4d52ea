// Arms against a baseline on the same items: paired tests, intervals, and Holm over the whole family.
import {
  type ArmComparison,
  type ArmOutcome,
  adjustFamily,
  compareArms,
} from '@safeinfer/harmeval';
import { groupRecords, type RecordGroup } from '../report/group-records.ts';
import { eventOf, MEASURES, type MeasureName } from '../report/measures.ts';
import { clusterOf } from '../report/summarise.ts';
import type { TrialRecord } from '../run/trial-record.ts';

export interface Contrast {
  /** What both sides share: `unedited · simple`. */
  readonly context: string;
  readonly baseline: RecordGroup;
  readonly treatment: RecordGroup;
  readonly baselineName: string;
  readonly treatmentName: string;
}

export interface PairedDifference extends ArmComparison {
  readonly context: string;
  readonly measure: MeasureName;
  readonly baselineName: string;
  readonly treatmentName: string;
}

/** Resamples of the interval for clustered items: its ends then move by about a fiftieth of its width between seeds. */
const RESAMPLES = 2000;

/** In the order of contrasts and measures; measures that a contrast has no common item for are left out. */
export function pairedDifferences(
  contrasts: readonly Contrast[],
  measures: readonly MeasureName[] = MEASURES,
): PairedDifference[] {
  const named = contrasts.flatMap((contrast) =>
    measures.flatMap((measure) => {
      const { context, baselineName, treatmentName } = contrast;
      const treatment = outcomesOf(contrast.treatment.records, measure);
      const baseline = besideEach(contrast, outcomesOf(contrast.baseline.records, measure));
      if (!shareAnItem(baseline, treatment)) return [];
      const comparison = compareArms(
        { baseline: separable(baseline), treatment },
        { seed: 1, resamples: RESAMPLES },
      );
      return [{ name: { context, measure, baselineName, treatmentName }, comparison }];
    }),
  );
  const adjusted = adjustFamily(named.map(({ comparison }) => comparison));
  return named.map(({ name }, i) => ({ ...name, ...adjusted[i]! }));
}

/**
 * What a run compares by itself: every arm with the first one, within each edit and style; with a single arm, every edit
 * with the first; with a single edit too, every style with the first. With several arms and edits, every arm is also
 * compared with itself on the first edit, which experiments leave unedited.
 */
export function plannedContrasts(records: readonly TrialRecord[], baseline?: string): Contrast[] {
  const groups = groupRecords(records);
  const names = (key: 'arm' | 'edit' | 'style'): string[] => [
    ...new Set(groups.map((group) => group[key])),
  ];
  const factor = (['arm', 'edit', 'style'] as const).find((key) => names(key).length > 1);
  if (factor === undefined) return [];
  const first = baseline ?? names(factor)[0]!;
  const others = (['edit', 'style', 'arm'] as const).filter((key) => key !== factor);
  const within = groups.flatMap((treatment): Contrast[] => {
    if (treatment[factor] === first) return [];
    const base = groups.find(
      (group) => group[factor] === first && others.every((key) => group[key] === treatment[key]),
    );
    if (!base) return [];
    return [
      {
        context: others
          .filter((key) => names(key).length > 1)
          .map((key) => treatment[key])
          .join(' · '),
        baseline: base,
        treatment,
        baselineName: base[factor],
        treatmentName: treatment[factor],
      },
    ];
  });
  return factor === 'arm' ? [...within, ...beforeAndAfter(groups)] : within;
}

/** An unedited answer stands beside the answers of all models that one fact was written into. */
function besideEach(
  { baseline, treatment }: Contrast,
  outcomes: readonly ArmOutcome[],
): readonly ArmOutcome[] {
  if (!ofSingleFacts(treatment) || ofSingleFacts(baseline)) return outcomes;
  const repeats = [...new Set(treatment.records.map(({ repeat = 0 }) => repeat))];
  return outcomes
    .filter(({ repeat }) => repeat === 0)
    .flatMap((outcome) => repeats.map((repeat) => ({ ...outcome, repeat })));
}

function ofSingleFacts({ records }: RecordGroup): boolean {
  return records.some(({ fact }) => fact !== undefined);
}

/** Every arm on the edited models against itself on the first, unedited one. */
function beforeAndAfter(groups: readonly RecordGroup[]): Contrast[] {
  const first = groups[0]?.edit;
  return groups.flatMap((treatment): Contrast[] => {
    if (treatment.edit === first) return [];
    const baseline = groups.find(
      ({ edit, style, arm }) =>
        edit === first && style === treatment.style && arm === treatment.arm,
    );
    if (!baseline) return [];
    return [
      {
        context: `${treatment.arm} · ${treatment.style}`,
        baseline,
        treatment,
        baselineName: baseline.edit,
        treatmentName: treatment.edit,
      },
    ];
  });
}

function outcomesOf(records: readonly TrialRecord[], measure: MeasureName): ArmOutcome[] {
  return records.flatMap((record): ArmOutcome[] => {
    const event = eventOf(record, measure);
    if (event === undefined) return [];
    return [
      {
        itemId: JSON.stringify([record.benchmark, record.itemId]),
        repeat: record.repeat ?? 0,
        cluster: clusterOf(record),
        event,
      },
    ];
  });
}

function shareAnItem(a: readonly ArmOutcome[], b: readonly ArmOutcome[]): boolean {
  const scored = new Set(
    b.filter(({ event }) => event !== null).map(({ itemId, repeat }) => `${itemId}/${repeat}`),
  );
  return a.some(({ itemId, repeat, event }) => event !== null && scored.has(`${itemId}/${repeat}`));
}

/** One cluster has no spread to learn from: its items are then taken one by one. */
function separable(outcomes: readonly ArmOutcome[]): readonly ArmOutcome[] {
  if (new Set(outcomes.map(({ cluster }) => cluster)).size > 1) return outcomes;
  return outcomes.map((outcome) => ({
    ...outcome,
    cluster: `${outcome.itemId}/${outcome.repeat}`,
  }));
}
