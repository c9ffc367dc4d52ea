// Directions from two sets of activations, in float64: difference in means, mean-centred, principal components.
import { SafeInferError } from '@safeinfer/backend';
import { dot, type Matrix, meanRow, normalised, rowOf } from '../linear-algebra/matrix.ts';
import { topComponent } from '../linear-algebra/top-component.ts';

/** mean(positive) - mean(negative), at its own length (Arditi et al. 2024; optimal for mean separation). */
export function differenceInMeans(positive: Matrix, negative: Matrix): Float64Array {
  checkSides(positive, negative);
  const minus = meanRow(negative);
  return meanRow(positive).map((value, i) => value - minus[i]!);
}

/**
 * mean(target) - mean(background) (Jorgensen et al. 2023): for concepts without a natural opposite. The background is
 * broad text; the target may be part of it.
 */
export function meanCentred(target: Matrix, background: Matrix): Float64Array {
  return differenceInMeans(target, background);
}

/**
 * First principal component of the pairs' differences, unit length, pointing to `positive`.
 * `symmetrised` (default) takes each difference with both signs, so their common part is kept; `centred` subtracts
 * their mean first, as scikit-learn's PCA does, which removes that common part: with like differences it finds
 * noise (fact sheet, finding 5). Offered to reproduce published vectors.
 */
export function pcaDirection(options: {
  readonly positive: Matrix;
  readonly negative: Matrix;
  readonly centre?: 'symmetrised' | 'centred';
}): Float64Array {
  const { positive, negative, centre = 'symmetrised' } = options;
  checkPairs(positive, negative);
  const values = positive.values.map((value, i) => value - negative.values[i]!);
  const differences: Matrix = { ...positive, values };
  let x = differences;
  if (centre === 'centred') {
    const mean = meanRow(differences);
    x = { ...differences, values: values.map((value, i) => value - mean[i % x.width]!) };
  }
  const direction = topComponent(x);
  // The sign of a component is arbitrary: let the majority of pairs decide it, ties by the mean.
  let votes = 0;
  for (let row = 0; row < differences.rows; row += 1) {
    votes += Math.sign(dot(rowOf(differences, row), direction));
  }
  if (votes === 0) votes = dot(meanRow(differences), direction);
  return votes < 0 ? direction.map((value) => -value) : direction;
}

/** A direction at length 1. */
export function unitDirection(direction: ArrayLike<number>): Float32Array {
  return Float32Array.from(normalised(direction));
}

export function checkSides(positive: Matrix, negative: Matrix): void {
  if (positive.rows > 0 && negative.rows > 0) return;
  throw new SafeInferError(
    `a contrast needs both sides: ${positive.rows} positive and ${negative.rows} negative examples`,
    { code: 'BAD_DATASET', hint: 'give examples of both; for one-sided sets use meanCentred' },
  );
}

function checkPairs(positive: Matrix, negative: Matrix): void {
  checkSides(positive, negative);
  if (positive.rows === negative.rows) return;
  throw new SafeInferError(
    `${positive.rows} positive examples cannot pair with ${negative.rows} negative ones`,
    { code: 'BAD_DATASET', hint: 'PCA works on pairs: give as many of each, in the same order' },
  );
}
