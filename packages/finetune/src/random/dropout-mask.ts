// Masks of inverted dropout that a seed determines, whatever was drawn before.

/** 16 random bits decide one element: probabilities are exact to 1 / 65536. */
const LEVELS = 65_536;

/** `size` values, each 0 with the given probability and 1 / (1 - probability) otherwise. */
export function dropoutMask(options: {
  readonly size: number;
  readonly probability: number;
  readonly seed: number;
}): Float32Array {
  const { size, probability, seed } = options;
  const limit = Math.round(probability * LEVELS);
  const kept = 1 / (1 - probability);
  const mask = new Float32Array(size);
  for (let i = 0; i < size; i += 2) {
    const bits = hash(seed, i);
    mask[i] = (bits & 0xffff) < limit ? 0 : kept;
    if (i + 1 < size) mask[i + 1] = bits >>> 16 < limit ? 0 : kept;
  }
  return mask;
}

/** The finaliser of MurmurHash3 over seed and counter. */
function hash(seed: number, counter: number): number {
  let h = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(counter, 0xcc9e2d51);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
