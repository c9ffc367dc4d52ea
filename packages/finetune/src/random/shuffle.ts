// Seeded permutations.
import { uniformAt } from '@safeinfer/transformer';

/** The numbers 0 to count - 1 in an order that depends on the seed alone (Fisher-Yates). */
export function permutation(count: number, seed: number): Int32Array {
  const order = Int32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(uniformAt(seed, i) * (i + 1));
    const swapped = order[i] as number;
    order[i] = order[j] as number;
    order[j] = swapped;
  }
  return order;
}

/** One seed out of several numbers; neighbours give unrelated seeds. */
export function mixSeeds(...parts: readonly number[]): number {
  return parts.reduce((seed, part) => Math.floor(uniformAt(seed, part) * 2 ** 32) | 0, 0x5afe);
}
