// The E x E systems that every batched editor comes down to, E the number of edits (push-through identity).
import { SafeInferError } from '@safeinfer/backend';
import { LuDecomposition, Matrix } from 'ml-matrix';
import { dot } from './vector.ts';

/** [i][j] = a_i . b_j, plus `ridge` on the diagonal. */
export function gram(
  a: readonly Float64Array[],
  b: readonly Float64Array[],
  ridge: number,
): Matrix {
  const rows = a.map((x, i) => b.map((y, j) => dot(x, y) + (i === j ? ridge : 0)));
  return new Matrix(rows);
}

/** Solves M X = B. @throws SINGULAR */
export function solveSmall(matrix: Matrix, right: Matrix): Matrix {
  const lu = new LuDecomposition(matrix);
  if (lu.isSingular()) {
    throw new SafeInferError(
      `the ${matrix.rows} x ${matrix.rows} system of the edits is singular`,
      {
        code: 'SINGULAR',
        hint: 'two edits have the same key: drop one, or raise lambda, damp or l2',
      },
    );
  }
  return lu.solve(right);
}

/** Column j of the result is the sum over i of columns[i] * weights[i][j]. */
export function combine(columns: readonly Float64Array[], weights: Matrix): Float64Array[] {
  return Array.from({ length: weights.columns }, (_, j) => {
    const sum = new Float64Array(columns[0]!.length);
    for (const [i, column] of columns.entries()) {
      const weight = weights.get(i, j);
      for (let r = 0; r < sum.length; r += 1) sum[r]! += weight * column[r]!;
    }
    return sum;
  });
}
