// Conjugate gradients for C x = b in float64: no factor and no second matrix, for MLPs too wide to factor.
import { SafeInferError } from '@safeinfer/backend';
import { dot, norm } from './vector.ts';

/** |C x - b| / |b| at which it stops. */
const TOLERANCE = 1e-10;

/**
 * Jacobi-preconditioned. `values` is row-major [n, n], symmetric.
 * @throws SINGULAR when the matrix is not positive definite or the residual does not fall within 4 n iterations
 */
export function conjugateGradient(values: Float64Array, right: Float64Array): Float64Array {
  const n = right.length;
  const x = new Float64Array(n);
  const limit = TOLERANCE * norm(right);
  const inverse = Float64Array.from({ length: n }, (_, i) => 1 / values[i * n + i]!);
  if (!inverse.every((d) => Number.isFinite(d) && d > 0)) throw singular('an empty diagonal');
  const residual = Float64Array.from(right);
  let scaled = residual.map((r, i) => r * inverse[i]!);
  const direction = Float64Array.from(scaled);
  let fit = dot(residual, scaled);
  const product = new Float64Array(n);
  for (let step = 0; step < 4 * n; step += 1) {
    if (norm(residual) <= limit) return x;
    for (let i = 0; i < n; i += 1) product[i] = dot(values.subarray(i * n, (i + 1) * n), direction);
    const curvature = dot(direction, product);
    if (!(curvature > 0)) throw singular('a direction without curvature');
    const along = fit / curvature;
    for (let i = 0; i < n; i += 1) {
      x[i]! += along * direction[i]!;
      residual[i]! -= along * product[i]!;
    }
    scaled = residual.map((r, i) => r * inverse[i]!);
    const next = dot(residual, scaled);
    for (let i = 0; i < n; i += 1) direction[i] = scaled[i]! + (next / fit) * direction[i]!;
    fit = next;
  }
  if (norm(residual) <= limit) return x;
  throw singular(
    `a residual of ${(norm(residual) / norm(right)).toExponential(1)} after ${4 * n} steps`,
  );
}

function singular(why: string): SafeInferError {
  return new SafeInferError(`the second moment is singular: conjugate gradients met ${why}`, {
    code: 'SINGULAR',
    hint: 'collect it over more tokens than the MLP is wide, and varied texts, or use the identity',
  });
}
