// AlphaEdit's projector onto keys that preserved knowledge does not use (Fang et al. 2025).
import { SafeInferError } from '@safeinfer/backend';
import { EigenvalueDecomposition } from 'ml-matrix';
import { dot } from '../linear-algebra/vector.ts';
import { type MeasuredMoment, momentMatrix } from './second-moment.ts';

export interface NullSpace {
  readonly size: number;
  /** Number of directions that edits may use. */
  readonly dimension: number;
  /** Orthonormal directions that must not change: eigenvectors of C from the threshold on. */
  readonly preserved: readonly Float64Array[];
}

/**
 * Eigenvectors of C below `threshold` (absolute, the reference's 2e-2) span the null space.
 * @throws BAD_ARGUMENT when the threshold leaves nothing to edit or nothing to preserve
 */
export function nullSpace(moment: MeasuredMoment, threshold: number): NullSpace {
  const { size } = moment;
  const decomposition = new EigenvalueDecomposition(momentMatrix(moment), {
    assumeSymmetric: true,
  });
  const values = decomposition.realEigenvalues;
  const vectors = decomposition.eigenvectorMatrix;
  const preserved = values.flatMap((value, column) =>
    value >= threshold ? [Float64Array.from(vectors.getColumn(column))] : [],
  );
  if (preserved.length === size || preserved.length === 0) {
    const sorted = [...values].sort((a, b) => a - b);
    throw new SafeInferError(
      `threshold ${threshold} puts ${size - preserved.length} of ${size} directions into the null space`,
      {
        code: 'BAD_ARGUMENT',
        hint: `eigenvalues run from ${sorted[0]?.toExponential(2)} to ${sorted.at(-1)?.toExponential(2)}; choose a threshold between`,
      },
    );
  }
  return { size, dimension: size - preserved.length, preserved };
}

/** P x: x without its part along preserved directions. */
export function project({ preserved, size }: NullSpace, x: Float64Array): Float64Array {
  if (x.length !== size) {
    throw new SafeInferError(`null space of size ${size} does not fit a key of ${x.length}`, {
      code: 'BAD_ARGUMENT',
      hint: 'use the null space of the layer that is edited',
    });
  }
  const out = Float64Array.from(x);
  for (const direction of preserved) {
    // Along x itself, not along what is left: the directions are orthonormal, and this is P as a matrix.
    const along = dot(direction, x);
    for (let i = 0; i < out.length; i += 1) out[i]! -= along * direction[i]!;
  }
  return out;
}
