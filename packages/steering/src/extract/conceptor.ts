// Conceptors: soft projections onto where a set of activations lives, with Boolean algebra (Jaeger 2014).
import { SafeInferError } from '@safeinfer/backend';
import { combine, gram, identity, type Matrix } from '../linear-algebra/matrix.ts';
import { mapEigenvalues, symmetricEigen } from '../linear-algebra/symmetric-eigen.ts';

/**
 * C = R (R + aperture^-2 I)^-1 with R = X'X / n; eigenvalues in [0, 1]. Aperture 10 is usual
 * (Postmus & Abreu 2024). X: [n, d] activations.
 */
export function conceptor(x: Matrix, aperture = 10): Matrix {
  if (x.rows === 0 || !(aperture > 0)) {
    throw new SafeInferError(`a conceptor of ${x.rows} activations at aperture ${aperture}`, {
      code: x.rows === 0 ? 'BAD_DATASET' : 'BAD_ARGUMENT',
      hint: 'give at least one activation and a positive aperture',
    });
  }
  const r = gram(x);
  const correlation = { ...r, values: r.values.map((value) => value / x.rows) };
  return mapEigenvalues(correlation, (value) => {
    const positive = Math.max(0, value);
    return positive / (positive + aperture ** -2);
  });
}

/** I - C: where the set does not live. */
export function notConceptor(c: Matrix): Matrix {
  return combine(identity(c.width), c, -1);
}

/** (A^-1 + B^-1 - I)^-1: where both sets live. Throws SINGULAR when either has an eigenvalue of 0. */
export function andConceptors(a: Matrix, b: Matrix): Matrix {
  return inverse(combine(combine(inverse(a), inverse(b), 1), identity(a.width), -1));
}

/** not(not A and not B): where either lives. */
export function orConceptors(a: Matrix, b: Matrix): Matrix {
  return notConceptor(andConceptors(notConceptor(a), notConceptor(b)));
}

function inverse(matrix: Matrix): Matrix {
  const { values } = symmetricEigen(matrix);
  const smallest = Math.min(...values.map(Math.abs));
  if (!(smallest > 1e-14)) {
    throw new SafeInferError('a conceptor without an inverse: one eigenvalue is 0', {
      code: 'SINGULAR',
      hint: 'read it from more activations than the model is wide, or lower the aperture',
    });
  }
  return mapEigenvalues(matrix, (value) => 1 / value);
}
