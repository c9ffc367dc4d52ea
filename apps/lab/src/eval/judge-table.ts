// What every judge says of the same answers, side by side.
import type { JudgeSummary } from '@safeinfer/harmeval';
import { formatEstimate, textTable } from '../report/format-table.ts';
import type { EvalOutcome } from './run-eval.ts';

const COLUMNS = ['set', 'judge', 'measure', 'scored', 'unscored', 'rate %', 'bounds %', 'macro %'];

export function judgeTable(outcomes: readonly EvalOutcome[]): string {
  const rows = outcomes.flatMap(({ benchmark, summary }) =>
    summary.judges.map((judge) => [benchmark.name, ...judgeCells(judge)]),
  );
  return textTable([COLUMNS, ...rows]);
}

function judgeCells(summary: JudgeSummary): string[] {
  const { judge, measure, scored, unscored, estimate, bounds, macro } = summary;
  const percent = (x: number): string => (100 * x).toFixed(1);
  return [
    judge.id,
    measure,
    String(scored),
    String(unscored),
    formatEstimate(estimate),
    `${percent(bounds.low)}–${percent(bounds.high)}`,
    macro ? percent(macro.value) : '–',
  ];
}

/** Answers that no judge should be trusted on: empty, cut off, looping, or in another script. */
export function answerFaults({ benchmark, summary }: EvalOutcome): string {
  const { trials, failed, emptyAnswers, truncatedAnswers, brokenAnswers, driftedAnswers } = summary;
  return (
    `${benchmark.name}: ${trials} answers, ${failed} failed, ${emptyAnswers} empty, ` +
    `${truncatedAnswers} cut at the token limit, ${brokenAnswers} broken, ${driftedAnswers} drifted`
  );
}
