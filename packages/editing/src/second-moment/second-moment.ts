// The uncentred second moment C = E[k kT] of an MLP projection's input, and solving C x = k in float64.
import { SafeInferError } from '@safeinfer/backend';
import { CholeskyDecomposition, Matrix } from 'ml-matrix';

/** `identity` is EasyEdit's `mom2_adjustment: false`: no statistics, u = k. */
export type SecondMoment = IdentityMoment | MeasuredMoment;

export interface IdentityMoment {
  readonly kind: 'identity';
}

export interface MeasuredMoment {
  readonly kind: 'measured';
  /** Row-major [size, size], float64. */
  readonly values: Float64Array;
  readonly size: number;
  /** Tokens it was measured over; below `size` it is singular. */
  readonly tokens: number;
}

export const identityMoment: IdentityMoment = { kind: 'identity' };

/** Solves C x = k. @throws SINGULAR when C is not positive definite. */
export function solveMoment(moment: SecondMoment, key: Float64Array): Float64Array {
  if (moment.kind === 'identity') return key;
  const { size, values } = moment;
  if (key.length !== size) {
    throw new SafeInferError(`second moment of size ${size} does not fit a key of ${key.length}`, {
      code: 'BAD_ARGUMENT',
      hint: 'collect the statistics at the layer that is edited',
    });
  }
  const rows = Array.from({ length: size }, (_, i) => values.subarray(i * size, (i + 1) * size));
  const cholesky = new CholeskyDecomposition(new Matrix(rows.map((row) => Array.from(row))));
  if (!cholesky.isPositiveDefinite()) {
    throw new SafeInferError(
      `the second moment is singular: ${moment.tokens} tokens for a key of ${size} numbers`,
      { code: 'SINGULAR', hint: `collect it over more than ${size} tokens, or use the identity` },
    );
  }
  return Float64Array.from(cholesky.solve(Matrix.columnVector(Array.from(key))).to1DArray());
}
