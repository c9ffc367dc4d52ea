// Logistic regression in float64 by Newton steps: the probes that rank heads and serve as conditions.
import { dot, type Matrix, rowOf } from '../linear-algebra/matrix.ts';
import { solveSpd } from '../linear-algebra/solve-spd.ts';

export interface LinearProbe {
  readonly weight: Float64Array;
  readonly bias: number;
}

/**
 * Minimises the logistic loss plus |weight|^2 / (2 c): scikit-learn's objective, whose default c is 1. The bias is
 * not penalised.
 */
export function fitProbe(x: Matrix, labels: readonly boolean[], c = 1): LinearProbe {
  const size = x.width + 1;
  let theta: Float64Array = new Float64Array(size);
  for (let step = 0; step < 100; step += 1) {
    const gradient = new Float64Array(size);
    const hessian = new Float64Array(size * size);
    for (let i = 0; i < x.width; i += 1) {
      gradient[i] = theta[i]! / c;
      hessian[i * size + i] = 1 / c;
    }
    // Keeps the system definite when the classes are so far apart that the bias hardly matters.
    hessian[size * size - 1] = 1e-9;
    for (let row = 0; row < x.rows; row += 1) {
      const line = Float64Array.of(...rowOf(x, row), 1);
      const p = 1 / (1 + Math.exp(-dot(line, theta)));
      const error = p - (labels[row] ? 1 : 0);
      const weight = p * (1 - p);
      for (let i = 0; i < size; i += 1) {
        gradient[i]! += error * line[i]!;
        for (let j = 0; j < size; j += 1) hessian[i * size + j]! += weight * line[i]! * line[j]!;
      }
    }
    const move = solveSpd({ rows: size, width: size, values: hessian }, gradient);
    theta = theta.map((value, i) => value - move[i]!);
    if (dot(move, move) < 1e-20) break;
  }
  return { weight: theta.slice(0, x.width), bias: theta[x.width]! };
}

/** Share of rows on the right side of the probe. */
export function probeAccuracy(probe: LinearProbe, x: Matrix, labels: readonly boolean[]): number {
  let right = 0;
  for (let row = 0; row < x.rows; row += 1) {
    const side = dot(rowOf(x, row), probe.weight) + probe.bias > 0;
    if (side === labels[row]) right += 1;
  }
  return right / x.rows;
}
