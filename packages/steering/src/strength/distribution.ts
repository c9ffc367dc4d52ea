// Next-token distributions compared in float64: log-probabilities, divergence, quantiles.

/** log softmax of one row of logits. */
export function logProbabilities(logits: ArrayLike<number>): Float64Array {
  let max = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < logits.length; i += 1) max = Math.max(max, logits[i]!);
  let sum = 0;
  for (let i = 0; i < logits.length; i += 1) sum += Math.exp(logits[i]! - max);
  const shift = max + Math.log(sum);
  return Float64Array.from(logits, (value) => value - shift);
}

/** KL(p || q) in nats from the two rows of logits. */
export function klDivergence(p: ArrayLike<number>, q: ArrayLike<number>): number {
  const [a, b] = [logProbabilities(p), logProbabilities(q)];
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) {
    const probability = Math.exp(a[i]!);
    if (probability > 0) sum += probability * (a[i]! - b[i]!);
  }
  return Math.max(0, sum);
}

/** Linear interpolation between order statistics, as NumPy's default. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const place = q * (sorted.length - 1);
  const low = Math.floor(place);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low]! + (place - low) * (sorted[high]! - sorted[low]!);
}
