// The first right singular vector of a matrix, by power iteration in float64 without forming a product.
import { dot, type Matrix, norm, normalised, rowOf } from './matrix.ts';

/** Unit vector v that maximises |x v|; its sign is arbitrary. Deterministic. */
export function topComponent(x: Matrix): Float64Array {
  // The longest row is in the row space and never orthogonal to all of the leading directions.
  let v: Float64Array = new Float64Array(x.width);
  for (let row = 0; row < x.rows; row += 1) {
    const candidate = rowOf(x, row);
    if (norm(candidate) > norm(v)) v = candidate;
  }
  v = normalised(v);
  for (let step = 0; step < 2000; step += 1) {
    const next = new Float64Array(x.width);
    for (let row = 0; row < x.rows; row += 1) {
      const line = rowOf(x, row);
      const weight = dot(line, v);
      for (let i = 0; i < next.length; i += 1) next[i]! += weight * line[i]!;
    }
    const unit = normalised(next);
    const change = 1 - Math.abs(dot(unit, v));
    v = unit;
    if (change < 1e-15) break;
  }
  return v;
}
