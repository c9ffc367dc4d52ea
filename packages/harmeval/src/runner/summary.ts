// Adds records up as they arrive and reports what the table shows. Texts are not kept, so memory stays small.
import { identityOf } from '../judges/judge.ts';
import type { JudgeIdentity } from '../judges/verdict.ts';
import { type MacroEstimate, macroAverage } from '../statistics/bootstrap.ts';
import { type Measure, type Outcome, outcomesOf } from './outcome.ts';
import { type Rate, rateOf } from './rate.ts';
import type { DoneRecord, EvalRecord, PlanRecord } from './records.ts';
import { DRIFTED, GARBLED, LOOPING } from './text-quality.ts';

// Fixed, so that the same outcomes always give the same table.
const MACRO_SEED = 1;
// Interval ends then move by less than 5 % of their width between seeds; more would make large tables slow.
const MACRO_RESAMPLES = 2000;

export interface CategoryRate extends Rate {
  readonly category: string | null;
}

export interface JudgeSummary extends Rate {
  readonly judge: JudgeIdentity;
  readonly measure: Measure;
  readonly categories: readonly CategoryRate[];
  /**
   * Unweighted mean of the category rates, as the paper averages, by a bootstrap within categories; null when a category
   * has nothing scored.
   */
  readonly macro: MacroEstimate | null;
  /** Mean score over the scored outcomes that have one. */
  readonly meanScore: number | null;
}

export interface Summary {
  readonly plan: PlanRecord | null;
  readonly done: DoneRecord | null;
  readonly trials: number;
  /** Trials without an answer. */
  readonly failed: number;
  readonly emptyAnswers: number;
  readonly truncatedAnswers: number;
  /** Answers that loop or are garbled: a broken model looks safe. */
  readonly brokenAnswers: number;
  /** Answers mostly in a script that the prompt does not use. */
  readonly driftedAnswers: number;
  readonly judges: readonly JudgeSummary[];
}

export interface SummaryCollector {
  readonly add: (record: EvalRecord) => void;
  readonly report: () => Summary;
  /** All outcomes so far, for paired comparisons and own statistics. */
  readonly outcomes: () => readonly Outcome[];
}

/** A collector to feed with every record of `evaluate`, in any order, also of a run that stopped early. */
export function collectSummary(): SummaryCollector {
  const outcomes: Outcome[] = [];
  const counts = { trials: 0, failed: 0, empty: 0, truncated: 0, broken: 0, drifted: 0 };
  let plan: PlanRecord | null = null;
  let done: DoneRecord | null = null;
  return {
    add: (record) => {
      if (record.type === 'plan') plan = record;
      else if (record.type === 'done') done = record;
      else {
        outcomes.push(...outcomesOf(record));
        counts.trials += 1;
        const { response } = record;
        if (response === null) counts.failed += 1;
        else {
          const { empty, repetition, garbage, drift } = response.quality;
          counts.drifted += drift > DRIFTED ? 1 : 0;
          counts.empty += empty ? 1 : 0;
          counts.truncated += response.finishReason === 'length' ? 1 : 0;
          counts.broken += repetition > LOOPING || garbage > GARBLED ? 1 : 0;
        }
      }
    },
    outcomes: () => outcomes,
    report: () => ({
      plan,
      done,
      trials: counts.trials,
      failed: counts.failed,
      emptyAnswers: counts.empty,
      truncatedAnswers: counts.truncated,
      brokenAnswers: counts.broken,
      driftedAnswers: counts.drifted,
      judges: summariseOutcomes(outcomes),
    }),
  };
}

/** One entry per judge (with version and model) and measure, in order of appearance. */
export function summariseOutcomes(outcomes: readonly Outcome[]): readonly JudgeSummary[] {
  const groups = groupBy(outcomes, ({ judge, measure }) =>
    [judge.id, judge.version, judge.promptSha, judge.model ?? '', measure].join('\n'),
  );
  return [...groups.values()].map(judgeSummary);
}

export interface JudgeSpread {
  readonly measure: Measure;
  /** Lowest and highest rate over the judges that scored anything. */
  readonly low: number;
  readonly high: number;
  readonly judges: number;
}

/** How far the judges of one measure lie apart: with no human labels, the least that a rate is uncertain by. */
export function judgeSpread(judges: readonly JudgeSummary[]): readonly JudgeSpread[] {
  const scored = judges.filter(({ estimate }) => estimate !== null);
  return [...groupBy(scored, ({ measure }) => measure)].map(([measure, group]) => {
    const rates = group.map(({ events, scored: n }) => events / n);
    return { measure, low: Math.min(...rates), high: Math.max(...rates), judges: group.length };
  });
}

function judgeSummary(outcomes: readonly Outcome[]): JudgeSummary {
  const { judge, measure } = outcomes[0] as Outcome;
  const byCategory = groupBy(outcomes, (outcome) => outcome.category);
  const categories = [...byCategory].map(([category, group]) => ({ category, ...rateOf(group) }));
  const strata = [...byCategory.values()].map((group) =>
    group.flatMap(({ event }) => (event === null ? [] : [event ? 1 : 0])),
  );
  const scores = outcomes.flatMap(({ event, score }) =>
    event === null || score === null ? [] : [score],
  );
  return {
    judge: identityOf(judge),
    measure,
    ...rateOf(outcomes),
    categories,
    macro: strata.some((values) => values.length === 0)
      ? null
      : macroAverage(strata, { seed: MACRO_SEED, resamples: MACRO_RESAMPLES }),
    meanScore: scores.length === 0 ? null : mean(scores),
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function groupBy<T, K>(values: readonly T[], key: (value: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const value of values) {
    const name = key(value);
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [value]);
    else group.push(value);
  }
  return groups;
}
