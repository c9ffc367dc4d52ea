import { describe, expect, it } from 'vitest';
import { selectPart } from '../datasets/split.ts';
import { bundledCategories } from './bundled-specs.ts';
import { loadBundledHarmful, loadBundledHarmless } from './load-bundled.ts';

describe('bundled sets', () => {
  it('has 21 harmful questions in each of ten categories', async () => {
    const { items, report } = await loadBundledHarmful();
    expect(report).toMatchObject({ verified: 'sha256', rowsInFiles: 210, droppedMinors: 0 });
    expect(items).toHaveLength(210);
    for (const category of bundledCategories) {
      expect(items.filter((item) => item.category === category)).toHaveLength(21);
    }
    expect(items.every(({ label }) => label === 'harmful')).toBe(true);
  });

  it('has 21 harmless look-alikes in each of ten types', async () => {
    const { items, report } = await loadBundledHarmless();
    expect(report).toMatchObject({ verified: 'sha256', droppedMinors: 0, droppedDuplicates: 0 });
    expect(items).toHaveLength(210);
    expect(new Set(items.map(({ category }) => category)).size).toBe(10);
    expect(items.every(({ label }) => label === 'harmless')).toBe(true);
  });

  it('splits into a part to build from and a part to score, without overlap', async () => {
    const dataset = await loadBundledHarmful();
    const build = selectPart(dataset, 'build').items.map(({ id }) => id);
    const test = selectPart(dataset, 'test').items.map(({ id }) => id);
    expect(build.length + test.length).toBe(210);
    expect(build.filter((id) => test.includes(id))).toEqual([]);
    expect(build.length).toBeGreaterThan(40);
    expect(test.length).toBeGreaterThan(120);
  });

  it('keeps every question short', async () => {
    const sets = [await loadBundledHarmful(), await loadBundledHarmless()];
    for (const { items } of sets) {
      expect(Math.max(...items.map(({ prompt }) => prompt.split(' ').length))).toBeLessThan(22);
    }
  });
});
