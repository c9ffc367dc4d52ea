// A counter-based generator: the same (seed, row, position, token) gives the same bits, in any order and any batch.

/** A 32-bit finaliser (murmur3's): every input bit flips every output bit with probability near one half. */
function mix(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** 2^32 / golden ratio: consecutive counters land far apart. */
const GOLDEN = 0x9e3779b9;

/** Two 32-bit words that identify one position of one row. */
export interface RandomKey {
  readonly a: number;
  readonly b: number;
}

/** Key of one choice. `row` names the sequence (see `rowKey`), `position` counts generated tokens. */
export function randomKey(seed: number, row: number, position: number): RandomKey {
  const low = mix(seed + GOLDEN);
  const high = mix(Math.floor(seed / 4294967296) ^ low);
  const a = mix(mix(mix(low ^ row) + GOLDEN) ^ position);
  const b = mix(mix(mix(high + row) ^ GOLDEN) + Math.imul(position, GOLDEN));
  return { a, b };
}

/** 32 random bits for one token at one position. */
export function randomBits(key: RandomKey, token: number): number {
  return mix(mix(key.a + Math.imul(token, GOLDEN)) ^ key.b);
}

/** Uniform in (0, 1), never an end point: 2^-33 .. 1 - 2^-33. */
export function uniform(key: RandomKey, token: number): number {
  return (randomBits(key, token) + 0.5) / 4294967296;
}

/**
 * Names a row by what it is, not by where it stands: a hash of its prompt and the number of the copy. Reordering or
 * splitting a batch of different prompts leaves every row's random numbers as they were.
 */
export function rowKey(tokens: readonly number[], copy: number): number {
  let h = mix(copy + 1);
  for (const token of tokens) h = mix(h ^ Math.imul(token + 1, GOLDEN));
  return h;
}
