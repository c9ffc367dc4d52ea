// Weights in 8 bits: blocks of 128 values along the inner dimension, each with its own scale.

/** Values that share a scale. Smaller blocks gain little (0.62 to 0.68 % error of a product) and cost speed. */
export const BLOCK = 128;
/** The code of zero; codes are unsigned. */
const ZERO = 128;
const LARGEST = 127;

export interface EightBit {
  /** [columns, blocks, BLOCK], padded with the code of zero. */
  readonly codes: Uint8Array;
  /** [columns, blocks]. */
  readonly scales: Float32Array;
  readonly inner: number;
  readonly columns: number;
}

/** Reads value (k, n) of W [inner, columns] from an array that may hold its transpose. */
function strides(inner: number, columns: number, transposed: boolean): [number, number] {
  return transposed ? [1, inner] : [columns, 1];
}

/** Rounds every value to one of 255 levels between the extremes of its block. */
export function quantize(options: {
  readonly values: Float32Array;
  readonly inner: number;
  readonly columns: number;
  readonly transposed: boolean;
}): EightBit {
  const { values, inner, columns, transposed } = options;
  const [stepK, stepN] = strides(inner, columns, transposed);
  const blocks = Math.ceil(inner / BLOCK);
  const codes = new Uint8Array(columns * blocks * BLOCK).fill(ZERO);
  const scales = new Float32Array(columns * blocks);
  for (let n = 0; n < columns; n++) {
    for (let block = 0; block < blocks; block++) {
      const start = block * BLOCK;
      const end = Math.min(start + BLOCK, inner);
      let largest = 0;
      for (let k = start; k < end; k++) {
        largest = Math.max(largest, Math.abs(values[k * stepK + n * stepN]!));
      }
      const scale = Math.fround(largest / LARGEST) || 1;
      const at = n * blocks + block;
      scales[at] = scale;
      for (let k = start; k < end; k++) {
        codes[at * BLOCK + k - start] = ZERO + Math.round(values[k * stepK + n * stepN]! / scale);
      }
    }
  }
  return { codes, scales, inner, columns };
}

/** The values that the codes stand for, in the layout they came from. */
export function dequantize(weight: EightBit, transposed: boolean): Float32Array {
  const { codes, scales, inner, columns } = weight;
  const [stepK, stepN] = strides(inner, columns, transposed);
  const blocks = Math.ceil(inner / BLOCK);
  const values = new Float32Array(inner * columns);
  for (let n = 0; n < columns; n++) {
    for (let k = 0; k < inner; k++) {
      const block = n * blocks + Math.floor(k / BLOCK);
      values[k * stepK + n * stepN] = (codes[block * BLOCK + (k % BLOCK)]! - ZERO) * scales[block]!;
    }
  }
  return values;
}
