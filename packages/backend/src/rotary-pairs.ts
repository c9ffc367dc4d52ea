// The signed permutation of a rotary embedding as look-ups.

/** For each output dimension, the input dimension that P takes and its sign; 0 where it takes none. */
export interface RotaryPairs {
  readonly partner: Int32Array;
  readonly sign: Float32Array;
}

/** What the matrix P [width, width] of SafeInferRope says, row-major. */
export function rotaryPairs(matrix: Float32Array, width: number): RotaryPairs {
  const partner = new Int32Array(width);
  const sign = new Float32Array(width);
  for (let from = 0; from < width; from++) {
    for (let to = 0; to < width; to++) {
      const value = matrix[from * width + to]!;
      if (value === 0) continue;
      partner[to] = from;
      sign[to] = value;
    }
  }
  return { partner, sign };
}
