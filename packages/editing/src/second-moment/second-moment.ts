// The uncentred second moment C = E[k kT] of an MLP projection's input, and solving C x = k in float64.
import { SafeInferError } from '@safeinfer/backend';
import { CholeskyDecomposition, Matrix } from 'ml-matrix';
import { conjugateGradient } from '../linear-algebra/conjugate-gradient.ts';

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

/** One factorisation a matrix, however many edits are solved with it. */
const factors = new WeakMap<MeasuredMoment, CholeskyDecomposition>();

/** `auto`: Cholesky, kept for the next solve, up to 4096; above, conjugate gradients, which need no second matrix. */
export type MomentSolver = 'auto' | 'cholesky' | 'cg';

/** Above, a factor costs minutes and gigabytes, an iterative solve seconds (measured: fact sheet, editing 2.6). */
const FACTORED_UP_TO = 4096;

/** Solves C x = k. @throws SINGULAR when C is not positive definite, BAD_ARGUMENT when sizes differ. */
export function solveMoment(
  moment: SecondMoment,
  key: Float64Array,
  solver: MomentSolver = 'auto',
): Float64Array {
  if (moment.kind === 'identity') return key;
  const { size } = moment;
  if (key.length !== size) {
    throw new SafeInferError(`second moment of size ${size} does not fit a key of ${key.length}`, {
      code: 'BAD_ARGUMENT',
      hint: 'collect the statistics at the layer that is edited',
    });
  }
  if (solver === 'cg' || (solver === 'auto' && size > FACTORED_UP_TO)) {
    checkValues(moment);
    return conjugateGradient(moment.values, key);
  }
  return Float64Array.from(factorOf(moment).solve(Matrix.columnVector(key)).to1DArray());
}

function factorOf(moment: MeasuredMoment): CholeskyDecomposition {
  const known = factors.get(moment);
  if (known) return known;
  const { size } = moment;
  const cholesky = new CholeskyDecomposition(momentMatrix(moment));
  if (!cholesky.isPositiveDefinite()) {
    throw new SafeInferError(
      `the second moment is singular: ${moment.tokens} tokens for a key of ${size} numbers`,
      {
        code: 'SINGULAR',
        hint:
          moment.tokens > size
            ? 'collect it over more varied texts, or use the identity'
            : `collect it over more than ${size} tokens, or use the identity`,
      },
    );
  }
  factors.set(moment, cholesky);
  return cholesky;
}

/** A copy for ml-matrix. @throws BAD_ARGUMENT when the values are no finite square matrix */
export function momentMatrix(moment: MeasuredMoment): Matrix {
  checkValues(moment);
  const { values, size } = moment;
  // Sums of float32 products may differ in their halves by rounding; the factorisation wants them equal.
  const rows = Array.from({ length: size }, (_, i) =>
    Array.from(
      { length: size },
      (_unused, j) => (values[i * size + j]! + values[j * size + i]!) / 2,
    ),
  );
  return new Matrix(rows);
}

/** Halves may differ by this share of the diagonal's geometric mean. */
const ASYMMETRY = 1e-4;

function checkValues({ values, size }: MeasuredMoment): void {
  for (let i = 0; i < size && values.length === size * size; i += 1) {
    for (let j = 0; j < i; j += 1) {
      const scale = Math.sqrt(Math.abs(values[i * size + i]! * values[j * size + j]!));
      if (!(Math.abs(values[i * size + j]! - values[j * size + i]!) > ASYMMETRY * scale)) continue;
      throw new SafeInferError(`the second moment is not symmetric at ${i}, ${j}`, {
        code: 'BAD_ARGUMENT',
        hint: 'E[k kT] is symmetric: the file holds something else, or is damaged',
      });
    }
  }
  if (values.length !== size * size || !values.every(Number.isFinite)) {
    throw new SafeInferError(
      `a second moment of size ${size} needs ${size * size} finite numbers`,
      {
        code: 'BAD_ARGUMENT',
        hint: 'read it with readMomentNpz or readMoments, or collect it with collectMoments',
      },
    );
  }
}
