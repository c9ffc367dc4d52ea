// Solves A x = b for a symmetric positive definite A, by Cholesky in float64.
import { SafeInferError } from '@safeinfer/backend';
import type { Matrix } from './matrix.ts';

/** Throws SINGULAR when A is not positive definite. */
export function solveSpd(a: Matrix, b: ArrayLike<number>): Float64Array {
  const n = a.width;
  const l = new Float64Array(n * n);
  for (let i = 0; i < n; i += 1) {
    for (let j = 0; j <= i; j += 1) {
      let sum = a.values[i * n + j]!;
      for (let k = 0; k < j; k += 1) sum -= l[i * n + k]! * l[j * n + k]!;
      if (i !== j) {
        l[i * n + j] = sum / l[j * n + j]!;
        continue;
      }
      if (!(sum > 0)) {
        throw new SafeInferError('a linear system is singular', {
          code: 'SINGULAR',
          hint: 'raise the ridge, or give more (and more varied) examples',
        });
      }
      l[i * n + i] = Math.sqrt(sum);
    }
  }
  const x = Float64Array.from(b);
  for (let i = 0; i < n; i += 1) {
    for (let k = 0; k < i; k += 1) x[i]! -= l[i * n + k]! * x[k]!;
    x[i]! /= l[i * n + i]!;
  }
  for (let i = n - 1; i >= 0; i -= 1) {
    for (let k = i + 1; k < n; k += 1) x[i]! -= l[k * n + i]! * x[k]!;
    x[i]! /= l[i * n + i]!;
  }
  return x;
}
