// Sum of rows by segment id: the gradient of every embedding look-up.

/** Adds row `i` of `x` to row `ids[i]` of `out`; ids outside [0, numSegments) are dropped, as in TensorFlow. */
export function segmentSum(
  x: ArrayLike<number>,
  ids: ArrayLike<number>,
  numSegments: number,
  out: Float32Array | Int32Array,
): void {
  const width = ids.length === 0 ? 0 : x.length / ids.length;
  for (let row = 0; row < ids.length; row++) {
    const segment = ids[row]!;
    if (segment < 0 || segment >= numSegments) continue;
    const from = row * width;
    const to = segment * width;
    for (let column = 0; column < width; column++) out[to + column]! += x[from + column]!;
  }
}
