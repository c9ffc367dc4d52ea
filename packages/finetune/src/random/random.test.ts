import { describe, expect, it } from 'vitest';
import { dropoutMask } from './dropout-mask.ts';
import { mixSeeds, permutation } from './shuffle.ts';

describe('seeded choices', () => {
  it('permutations hold every index once and spread them evenly', () => {
    const counts = new Array<number>(10).fill(0);
    for (let seed = 0; seed < 2000; seed++) {
      const order = permutation(10, seed);
      expect([...order].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
      counts[order[0] as number]!++;
    }
    // 200 expected each, standard deviation 13.4: five of them.
    for (const count of counts) expect(Math.abs(count - 200)).toBeLessThan(67);
  });

  it('mixed seeds of neighbours differ', () => {
    const seeds = new Set<number>();
    for (let i = 0; i < 100; i++) for (let j = 0; j < 100; j++) seeds.add(mixSeeds(1, i, j));
    expect(seeds.size).toBeGreaterThan(9990);
  });

  it('dropout drops its share, keeps the mean, and depends on the seed alone', () => {
    const size = 100_001;
    const mask = dropoutMask({ size, probability: 0.3, seed: 4 });
    const dropped = mask.filter((x) => x === 0).length / size;
    expect(dropped).toBeCloseTo(0.3, 2);
    expect(mask.reduce((sum, x) => sum + x, 0) / size).toBeCloseTo(1, 2);
    expect(dropoutMask({ size, probability: 0.3, seed: 4 })).toEqual(mask);
    expect(dropoutMask({ size, probability: 0.3, seed: 5 })).not.toEqual(mask);
  });
});
