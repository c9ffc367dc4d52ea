import { describe, expect, it } from 'vitest';
import { SPLITS, splitBorderline, splitHarmful } from './splits.ts';

describe('splitHarmful', () => {
  const bySplit = splitHarmful(7);

  it('is disjoint, complete and of the planned sizes', () => {
    const all = SPLITS.flatMap((s) => bySplit[s].map((a) => a.action));
    expect(new Set(all).size).toBe(960);
    expect(all).toHaveLength(960);
    expect(SPLITS.map((s) => bySplit[s].length)).toEqual([480, 80, 100, 60, 240]);
  });

  it('has every verb and object of a category at least twice in training', () => {
    for (const field of ['verb', 'object'] as const) {
      const count = new Map<string, number>();
      for (const a of bySplit.train) {
        const key = `${a.category} ${a[field]}`;
        count.set(key, (count.get(key) ?? 0) + 1);
      }
      expect(Math.min(...count.values())).toBeGreaterThanOrEqual(2);
      expect(count.size).toBe(field === 'verb' ? 60 : 160);
    }
  });

  it('is the same for the same seed and another for another', () => {
    const ids = (seed: number) => splitHarmful(seed).test.map((a) => a.id);
    expect(ids(7)).toEqual(ids(7));
    expect(ids(8)).not.toEqual(ids(7));
  });
});

describe('splitBorderline', () => {
  const { pairs, unseenObjects } = splitBorderline(7);

  it('tests unseen pairs of words that training has, and objects that training has not', () => {
    const trainObjects = new Set(pairs.train.map((a) => `${a.group} ${a.object}`));
    const trainPairs = new Set(pairs.train.map((a) => a.action));
    expect(pairs.test).toHaveLength(240);
    expect(unseenObjects.test).toHaveLength(288);
    for (const a of pairs.test) {
      expect(trainPairs.has(a.action)).toBe(false);
      expect(trainObjects.has(`${a.group} ${a.object}`)).toBe(true);
    }
    for (const split of SPLITS) {
      const objects = new Set(pairs[split].map((a) => a.object));
      for (const a of [...unseenObjects.test, ...unseenObjects.select]) {
        expect(objects.has(a.object)).toBe(false);
      }
    }
  });
});
