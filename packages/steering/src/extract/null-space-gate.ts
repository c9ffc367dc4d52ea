// AlphaSteer's null-space steering as what it is: a learned linear gate times the refusal vector.
import { SafeInferError } from '@safeinfer/backend';
import { dot, gram, type Matrix, rowOf, transpose } from '../linear-algebra/matrix.ts';
import { solveSpd } from '../linear-algebra/solve-spd.ts';
import { symmetricEigen } from '../linear-algebra/symmetric-eigen.ts';

export interface NullSpaceGate {
  /** h.gate is about 0 on benign activations and about 1 on harmful ones. */
  readonly gate: Float64Array;
  /** Dimensions of the benign set's (approximate) null space that were kept. */
  readonly kept: number;
}

/**
 * u = Q (Z'Z + lambda I)^-1 Z'1 with Z = harmful Q and Q the `rho` share of directions in which benign activations
 * are smallest. AlphaSteer's matrix (Sheng et al. 2025, Eq. 6-10) is u r' exactly, since all its targets equal r
 * (fact sheet 1.11): two vectors a layer instead of d x d. Rows of both matrices are last-token `hook_resid_pre`.
 */
export function nullSpaceGate(options: {
  readonly benign: Matrix;
  readonly harmful: Matrix;
  /** Default 0.6. */
  readonly rho?: number;
  /** Default 10. */
  readonly lambda?: number;
}): NullSpaceGate {
  const { benign, harmful, rho = 0.6, lambda = 10 } = options;
  const width = benign.width;
  const kept = Math.round(rho * width);
  if (benign.rows === 0 || harmful.rows === 0) {
    throw new SafeInferError(`${benign.rows} benign and ${harmful.rows} harmful activations`, {
      code: 'BAD_DATASET',
      hint: 'the gate needs both: benign ones to stay away from, harmful ones to open on',
    });
  }
  if (!(kept >= 1 && kept <= width) || !(lambda > 0)) {
    throw new SafeInferError(`rho ${rho} keeps ${kept} of ${width} directions, lambda ${lambda}`, {
      code: 'BAD_ARGUMENT',
      hint: 'the paper uses rho 0.3 to 0.6 and lambda 10',
    });
  }
  const { vectors } = symmetricEigen(gram(benign));
  // Eigenvalues come largest first, so the last rows span the null space.
  const q: Matrix = {
    rows: kept,
    width,
    values: vectors.values.slice((width - kept) * width),
  };
  const z = new Float64Array(harmful.rows * kept);
  for (let i = 0; i < harmful.rows; i += 1)
    for (let j = 0; j < kept; j += 1) z[i * kept + j] = dot(rowOf(harmful, i), rowOf(q, j));
  const projected: Matrix = { rows: harmful.rows, width: kept, values: z };
  const normal = gram(projected);
  for (let i = 0; i < kept; i += 1) normal.values[i * kept + i]! += lambda;
  const totals = new Float64Array(kept);
  for (let i = 0; i < z.length; i += 1) totals[i % kept]! += z[i]!;
  const inner = solveSpd(normal, totals);
  const back = transpose(q);
  const gate = Float64Array.from({ length: width }, (_, i) => dot(rowOf(back, i), inner));
  return { gate, kept };
}
