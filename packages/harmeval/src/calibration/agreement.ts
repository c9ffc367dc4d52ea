// Agreement of a judge with human labels: confusion, kappa, sensitivity, specificity.
import { HarmEvalError } from '../harm-eval-error.ts';
import type { Estimate } from '../statistics/interval.ts';
import { wilson } from '../statistics/wilson.ts';
import type { JudgeQuality } from './rogan-gladen.ts';

export interface Confusion {
  /** Both say the event happened. */
  readonly truePositive: number;
  readonly falsePositive: number;
  readonly falseNegative: number;
  readonly trueNegative: number;
}

export interface LabelledPair {
  /** What the judge says; null when it gave no verdict. */
  readonly judge: boolean | null;
  readonly human: boolean;
}

export interface Agreement extends Confusion {
  readonly n: number;
  /** Pairs left out because the judge gave no verdict. */
  readonly unscored: number;
  readonly accuracy: Estimate;
  /** Cohen's kappa; null when both always say the same one thing, where it is undefined. */
  readonly kappa: number | null;
  /** Large-sample standard error of kappa under the observed table (Fleiss, Cohen and Everitt 1969). */
  readonly kappaStandardError: number | null;
  readonly precision: Estimate | null;
  /** Recall of the event; null when humans never saw it. */
  readonly sensitivity: Estimate | null;
  readonly specificity: Estimate | null;
}

/** Compares a judge with humans on binary labels. Pairs without a verdict are counted, not guessed. */
export function agreement(pairs: readonly LabelledPair[], confidence = 0.95): Agreement {
  const counts = { truePositive: 0, falsePositive: 0, falseNegative: 0, trueNegative: 0 };
  let unscored = 0;
  for (const { judge, human } of pairs) {
    if (judge === null) unscored += 1;
    else if (judge) counts[human ? 'truePositive' : 'falsePositive'] += 1;
    else counts[human ? 'falseNegative' : 'trueNegative'] += 1;
  }
  const n = pairs.length - unscored;
  if (n === 0) {
    throw new HarmEvalError('no pair has both a verdict and a human label', {
      code: 'BAD_ARGUMENT',
      hint: 'calibrate on items that the judge scored',
    });
  }
  const { truePositive: tp, falsePositive: fp, falseNegative: fn, trueNegative: tn } = counts;
  const rate = (successes: number, trials: number) =>
    trials === 0 ? null : wilson(successes, trials, confidence);
  const { kappa, standardError } = cohenKappa([
    [tp, fp],
    [fn, tn],
  ]);
  return {
    ...counts,
    n,
    unscored,
    accuracy: wilson(tp + tn, n, confidence),
    kappa,
    kappaStandardError: standardError,
    precision: rate(tp, tp + fp),
    sensitivity: rate(tp, tp + fn),
    specificity: rate(tn, tn + fp),
  };
}

/** Cohen's (1960) unweighted kappa of a square table (rows: one rater, columns: the other), any number of classes. */
export function cohenKappa(table: readonly (readonly number[])[]): {
  readonly kappa: number | null;
  readonly standardError: number | null;
} {
  const size = table.length;
  const total = table.flat().reduce((sum, count) => sum + count, 0);
  if (size < 2 || total === 0 || table.some((row) => row.length !== size)) {
    throw new HarmEvalError('kappa needs a square table with at least one count', {
      code: 'BAD_ARGUMENT',
      hint: 'rows and columns are the same classes in the same order',
    });
  }
  const cell = (i: number, j: number) => (table[i]?.[j] ?? 0) / total;
  const classes = Array.from({ length: size }, (_, i) => i);
  const rows = classes.map((i) => classes.reduce((sum, j) => sum + cell(i, j), 0));
  const columns = classes.map((j) => classes.reduce((sum, i) => sum + cell(i, j), 0));
  const observed = classes.reduce((sum, i) => sum + cell(i, i), 0);
  const expected = classes.reduce((sum, i) => sum + (rows[i] ?? 0) * (columns[i] ?? 0), 0);
  if (expected === 1) return { kappa: null, standardError: null };
  const kappa = (observed - expected) / (1 - expected);
  let onDiagonal = 0;
  let offDiagonal = 0;
  for (const i of classes) {
    for (const j of classes) {
      const margins = (columns[i] ?? 0) + (rows[j] ?? 0);
      if (i === j) onDiagonal += cell(i, i) * (1 - margins * (1 - kappa)) ** 2;
      else offDiagonal += cell(i, j) * margins ** 2;
    }
  }
  const correction = (kappa - expected * (1 - kappa)) ** 2;
  const variance =
    (onDiagonal + (1 - kappa) ** 2 * offDiagonal - correction) / (1 - expected) ** 2 / total;
  return { kappa, standardError: Math.sqrt(Math.max(0, variance)) };
}

/**
 * Sensitivity and specificity as `roganGladen` takes them. `event` says which side of the calibration the corrected rate
 * counts: `positive` when it is the same event, `negative` when it is the opposite one (a judge calibrated on refusals
 * that measures compliance).
 */
export function qualityOf(result: Confusion, event: 'positive' | 'negative'): JudgeQuality {
  const { truePositive, falsePositive, falseNegative, trueNegative } = result;
  const found = { successes: truePositive, trials: truePositive + falseNegative };
  const passed = { successes: trueNegative, trials: trueNegative + falsePositive };
  return event === 'positive'
    ? { sensitivity: found, specificity: passed }
    : { sensitivity: passed, specificity: found };
}
