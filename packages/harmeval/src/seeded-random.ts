// Seeded random numbers for transforms, bootstrap and samples: no call ever reads a global generator.

/** A stream of numbers in [0, 1). */
export type RandomStream = () => number;

/**
 * Mulberry32: 32-bit state, period 2^32, passes the tests that matter for resampling. The seed is mixed first so that
 * neighbouring seeds give unrelated streams.
 */
export function seededRandom(seed: number): RandomStream {
  let state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** An integer in [0, bound). */
export function randomBelow(random: RandomStream, bound: number): number {
  return Math.floor(random() * bound);
}

/** A new array in seeded order (Fisher-Yates). */
export function shuffled<T>(values: readonly T[], random: RandomStream): T[] {
  const order = [...values];
  for (let i = order.length - 1; i > 0; i -= 1) {
    const j = randomBelow(random, i + 1);
    [order[i], order[j]] = [order[j] as T, order[i] as T];
  }
  return order;
}
