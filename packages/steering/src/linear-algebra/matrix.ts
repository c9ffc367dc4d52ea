// Rows of float64 numbers and what extraction does with them: everything that decides a direction is summed in float64.
import { SafeInferError } from '@safeinfer/backend';

/** Row-major [rows, width]. */
export interface Matrix {
  readonly rows: number;
  readonly width: number;
  readonly values: Float64Array;
}

export function matrixOf(lines: readonly ArrayLike<number>[], width?: number): Matrix {
  const columns = width ?? lines[0]?.length ?? 0;
  const values = new Float64Array(lines.length * columns);
  lines.forEach((line, i) => {
    values.set(line, i * columns);
  });
  return { rows: lines.length, width: columns, values };
}

export function rowOf(matrix: Matrix, row: number): Float64Array {
  return matrix.values.subarray(row * matrix.width, (row + 1) * matrix.width);
}

export function identity(size: number): Matrix {
  const values = new Float64Array(size * size);
  for (let i = 0; i < size; i += 1) values[i * size + i] = 1;
  return { rows: size, width: size, values };
}

export function transpose({ rows, width, values }: Matrix): Matrix {
  const out = new Float64Array(values.length);
  for (let i = 0; i < rows; i += 1)
    for (let j = 0; j < width; j += 1) out[j * rows + i] = values[i * width + j]!;
  return { rows: width, width: rows, values: out };
}

export function multiply(a: Matrix, b: Matrix): Matrix {
  const values = new Float64Array(a.rows * b.width);
  for (let i = 0; i < a.rows; i += 1) {
    for (let k = 0; k < a.width; k += 1) {
      const factor = a.values[i * a.width + k]!;
      if (factor === 0) continue;
      for (let j = 0; j < b.width; j += 1) {
        values[i * b.width + j]! += factor * b.values[k * b.width + j]!;
      }
    }
  }
  return { rows: a.rows, width: b.width, values };
}

export function combine(a: Matrix, b: Matrix, scaleOfB: number): Matrix {
  return { ...a, values: a.values.map((value, i) => value + scaleOfB * b.values[i]!) };
}

/** x' x: [width, width]. */
export function gram(x: Matrix): Matrix {
  return multiply(transpose(x), x);
}

export function meanRow(x: Matrix): Float64Array {
  const mean = new Float64Array(x.width);
  for (let i = 0; i < x.rows; i += 1)
    for (let j = 0; j < x.width; j += 1) mean[j]! += x.values[i * x.width + j]! / x.rows;
  return mean;
}

export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += a[i]! * b[i]!;
  return sum;
}

export function norm(a: ArrayLike<number>): number {
  return Math.sqrt(dot(a, a));
}

export function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return dot(a, b) / (norm(a) * norm(b));
}

/** The vector at length 1; throws SINGULAR for a zero vector. */
export function normalised(a: ArrayLike<number>): Float64Array {
  const length = norm(a);
  if (!(length > 0) || !Number.isFinite(length)) {
    throw new SafeInferError(`a direction has length ${length}`, {
      code: 'SINGULAR',
      hint: 'the two sides of the contrast are equal, or an activation is not finite',
    });
  }
  return Float64Array.from(a, (value) => value / length);
}
