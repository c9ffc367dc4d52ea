// Dot products and norms in float64: the numbers that decide an edit.

export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += a[i]! * b[i]!;
  return sum;
}

export function norm(a: ArrayLike<number>): number {
  return Math.sqrt(dot(a, a));
}

/** Mean of equally long vectors. */
export function meanVector(vectors: readonly ArrayLike<number>[]): Float64Array {
  const mean = new Float64Array(vectors[0]!.length);
  for (const vector of vectors)
    for (let i = 0; i < mean.length; i += 1) mean[i]! += vector[i]! / vectors.length;
  return mean;
}
