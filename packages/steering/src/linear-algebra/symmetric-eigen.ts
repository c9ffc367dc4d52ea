// Eigenvalues and eigenvectors of a symmetric matrix in float64, by cyclic Jacobi rotations.
import { SafeInferError } from '@safeinfer/backend';
import { identity, type Matrix, transpose } from './matrix.ts';

export interface Eigen {
  /** Largest first. */
  readonly values: Float64Array;
  /** Row i is the unit eigenvector of value i. */
  readonly vectors: Matrix;
}

/** Sweeps after which Jacobi has always converged in practice (quadratic convergence; 6 to 10 are usual). */
const MAX_SWEEPS = 60;

/**
 * All eigenpairs of a symmetric matrix, accurate to about 1e-15 of its norm. Work grows with the cube of the size:
 * fine up to a width of about a thousand. Throws SINGULAR when it does not converge (NaN in the input).
 */
export function symmetricEigen(matrix: Matrix): Eigen {
  const n = matrix.width;
  const a = Float64Array.from(matrix.values);
  const v = identity(n).values;
  let scale = 0;
  for (const value of a) scale += value * value;
  for (let sweep = 0; ; sweep += 1) {
    let off = 0;
    for (let p = 0; p < n; p += 1) for (let q = p + 1; q < n; q += 1) off += a[p * n + q]! ** 2;
    if (off <= 1e-32 * scale) break;
    if (sweep === MAX_SWEEPS || Number.isNaN(off)) {
      throw new SafeInferError('an eigenvalue problem did not converge', {
        code: 'SINGULAR',
        hint: 'look for NaN or infinite activations',
      });
    }
    for (let p = 0; p < n; p += 1) for (let q = p + 1; q < n; q += 1) rotate(a, v, n, p, q);
  }
  const order = Array.from({ length: n }, (_, i) => i).sort(
    (i, j) => a[j * n + j]! - a[i * n + i]! || i - j,
  );
  const columns = transpose({ rows: n, width: n, values: v });
  const vectors = new Float64Array(n * n);
  order.forEach((column, i) => {
    vectors.set(columns.values.subarray(column * n, (column + 1) * n), i * n);
  });
  return {
    values: Float64Array.from(order, (i) => a[i * n + i]!),
    vectors: { rows: n, width: n, values: vectors },
  };
}

function rotate(a: Float64Array, v: Float64Array, n: number, p: number, q: number): void {
  const apq = a[p * n + q]!;
  if (apq === 0) return;
  const theta = (a[q * n + q]! - a[p * n + p]!) / (2 * apq);
  // The smaller of the two angles: stable for any theta.
  const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
  const c = 1 / Math.sqrt(t * t + 1);
  const s = t * c;
  for (let k = 0; k < n; k += 1) {
    const [x, y] = [a[k * n + p]!, a[k * n + q]!];
    a[k * n + p] = c * x - s * y;
    a[k * n + q] = s * x + c * y;
    const [e, f] = [v[k * n + p]!, v[k * n + q]!];
    v[k * n + p] = c * e - s * f;
    v[k * n + q] = s * e + c * f;
  }
  for (let k = 0; k < n; k += 1) {
    const [x, y] = [a[p * n + k]!, a[q * n + k]!];
    a[p * n + k] = c * x - s * y;
    a[q * n + k] = s * x + c * y;
  }
}

/** f(A) of a symmetric matrix: its eigenvalues mapped. */
export function mapEigenvalues(matrix: Matrix, f: (value: number) => number): Matrix {
  const { values, vectors } = symmetricEigen(matrix);
  const n = matrix.width;
  const out = new Float64Array(n * n);
  for (let k = 0; k < n; k += 1) {
    const factor = f(values[k]!);
    for (let i = 0; i < n; i += 1) {
      const left = factor * vectors.values[k * n + i]!;
      for (let j = 0; j < n; j += 1) out[i * n + j]! += left * vectors.values[k * n + j]!;
    }
  }
  return { rows: n, width: n, values: out };
}
