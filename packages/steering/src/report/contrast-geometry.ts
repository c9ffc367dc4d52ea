// What a contrast looks like before anything is steered: the numbers that predict whether its vector will work.
import {
  cosine,
  dot,
  type Matrix,
  meanRow,
  norm,
  normalised,
  rowOf,
} from '../linear-algebra/matrix.ts';
import { symmetricEigen } from '../linear-algebra/symmetric-eigen.ts';

/** Braun et al. 2025 (agreement and d' predict steerability); fact sheet 4.2 point 5. */
export interface ContrastGeometry {
  readonly positive: number;
  readonly negative: number;
  /** Length of the direction over the mean length of the activations. */
  readonly relativeNorm: number;
  /** Mean cosine of each pair's difference with the mean difference; absent when the sides do not pair. */
  readonly agreement?: number;
  /** Distance of the class means along the direction in pooled standard deviations. */
  readonly dPrime: number;
  /** Area under the ROC curve along a direction fitted without the scored example's fold (5 folds). */
  readonly auroc: number;
  /** exp of the entropy of the differences' spectrum: 1 = one direction, many = no common one. */
  readonly effectiveRank?: number;
}

const FOLDS = 5;
/** Beyond this many pairs the spectrum's cost outweighs what it tells. */
const RANK_PAIRS = 200;

export function contrastGeometry(options: {
  readonly positive: Matrix;
  readonly negative: Matrix;
  readonly direction: ArrayLike<number>;
}): ContrastGeometry {
  const { positive, negative, direction } = options;
  const lengths = [positive, negative].flatMap((x) =>
    Array.from({ length: x.rows }, (_, i) => norm(rowOf(x, i))),
  );
  const meanLength = lengths.reduce((sum, value) => sum + value, 0) / lengths.length;
  const paired = positive.rows === negative.rows;
  return {
    positive: positive.rows,
    negative: negative.rows,
    relativeNorm: norm(direction) / meanLength,
    ...(paired ? pairStatistics(positive, negative) : {}),
    dPrime: dPrime(project(positive, direction), project(negative, direction)),
    auroc: crossValidatedAuroc(positive, negative),
  };
}

function project(x: Matrix, direction: ArrayLike<number>): number[] {
  const length = norm(direction);
  return Array.from({ length: x.rows }, (_, i) => dot(rowOf(x, i), direction) / length);
}

function pairStatistics(
  positive: Matrix,
  negative: Matrix,
): { readonly agreement: number; readonly effectiveRank?: number } {
  const differences: Matrix = {
    ...positive,
    values: positive.values.map((value, i) => value - negative.values[i]!),
  };
  const mean = meanRow(differences);
  let agreement = 0;
  for (let i = 0; i < differences.rows; i += 1) {
    const own = rowOf(differences, i);
    if (norm(own) > 0 && norm(mean) > 0) agreement += cosine(own, mean) / differences.rows;
  }
  if (differences.rows > RANK_PAIRS) return { agreement };
  const n = differences.rows;
  const products = new Float64Array(n * n);
  for (let i = 0; i < n; i += 1)
    for (let j = 0; j < n; j += 1)
      products[i * n + j] = dot(rowOf(differences, i), rowOf(differences, j));
  const { values } = symmetricEigen({ rows: n, width: n, values: products });
  const total = values.reduce((sum, value) => sum + Math.max(0, value), 0);
  let entropy = 0;
  for (const value of values) {
    const share = value / total;
    if (share > 1e-12) entropy -= share * Math.log(share);
  }
  return { agreement, effectiveRank: Math.exp(entropy) };
}

function dPrime(a: readonly number[], b: readonly number[]): number {
  const mean = (x: readonly number[]): number => x.reduce((sum, v) => sum + v, 0) / x.length;
  const [ma, mb] = [mean(a), mean(b)];
  const square = (x: readonly number[], m: number): number =>
    x.reduce((sum, v) => sum + (v - m) ** 2, 0);
  const freedom = a.length + b.length - 2;
  if (freedom < 1) return 0;
  const spread = Math.sqrt((square(a, ma) + square(b, mb)) / freedom);
  return spread === 0 ? (ma === mb ? 0 : Number.MAX_VALUE) : (ma - mb) / spread;
}

/** Directions are fitted on four fifths and score the rest: in-sample AUROC of many dimensions is always near 1. */
function crossValidatedAuroc(positive: Matrix, negative: Matrix): number {
  const folds = Math.min(FOLDS, positive.rows, negative.rows);
  if (folds < 2) return 0.5;
  const pick = (x: Matrix, keep: (row: number) => boolean): Matrix => {
    const lines = Array.from({ length: x.rows }, (_, i) => i).filter(keep);
    const values = new Float64Array(lines.length * x.width);
    for (const [i, line] of lines.entries()) values.set(rowOf(x, line), i * x.width);
    return { rows: lines.length, width: x.width, values };
  };
  let sum = 0;
  for (let fold = 0; fold < folds; fold += 1) {
    const train = (row: number): boolean => row % folds !== fold;
    const test = (row: number): boolean => row % folds === fold;
    const minus = meanRow(pick(negative, train));
    const difference = meanRow(pick(positive, train)).map((value, i) => value - minus[i]!);
    if (norm(difference) === 0) {
      sum += 0.5;
      continue;
    }
    const direction = normalised(difference);
    sum += auroc(
      project(pick(positive, test), direction),
      project(pick(negative, test), direction),
    );
  }
  return sum / folds;
}

/** Chance that a positive example scores above a negative one; ties count half. */
export function auroc(positive: readonly number[], negative: readonly number[]): number {
  let wins = 0;
  for (const p of positive) for (const n of negative) wins += p > n ? 1 : p === n ? 0.5 : 0;
  return wins / (positive.length * negative.length);
}
