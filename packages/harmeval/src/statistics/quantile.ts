// Sample quantile with linear interpolation: the rule of numpy and R (type 7).

/** `values` must be sorted; `fraction` in [0, 1]. */
export function sortedQuantile(values: ArrayLike<number>, fraction: number): number {
  const position = fraction * (values.length - 1);
  const below = Math.floor(position);
  const low = values[below] ?? Number.NaN;
  const high = values[Math.min(below + 1, values.length - 1)] ?? Number.NaN;
  return low + (position - below) * (high - low);
}
