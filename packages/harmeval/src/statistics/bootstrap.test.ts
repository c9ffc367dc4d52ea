import { describe, expect, it } from 'vitest';
import reference from '../../test/reference/statistics-reference.json' with { type: 'json' };
import { macroAverage, pairedBootstrap, percentileInterval } from './bootstrap.ts';
import { sortedQuantile } from './quantile.ts';

describe('sortedQuantile', () => {
  it('equals numpy', () => {
    const { values, at } = reference.quantile;
    for (const [fraction = 0, expected = 0] of at) {
      expect(sortedQuantile(values, fraction)).toBeCloseTo(expected, 12);
    }
  });
});

describe('pairedBootstrap', () => {
  it('agrees with scipy up to the error of resampling', () => {
    const { a, b, low, high, standardError } = reference.bootstrap;
    const interval = pairedBootstrap({ a, b }, { seed: 5, resamples: 40_000 });
    // Both ends are steps of 1/120; one step is the resolution of the data.
    expect(Math.abs(interval.low - low)).toBeLessThanOrEqual(1 / 120 + 1e-12);
    expect(Math.abs(interval.high - high)).toBeLessThanOrEqual(1 / 120 + 1e-12);
    expect((interval.high - interval.low) / 3.92).toBeCloseTo(standardError, 2);
  });

  it('has the interval of the exact bootstrap distribution on three items', () => {
    // Differences 0, 0, 1: the mean is k/3 with k ~ Binomial(3, 1/3), so P(k = 0) = 0.296 and P(k <= 2) = 0.963.
    const { low, high, value } = pairedBootstrap(
      { a: [0, 1, 1], b: [0, 1, 0] },
      { seed: 1, resamples: 20_000, confidence: 0.9 },
    );
    expect([low, value, high]).toEqual([0, 1 / 3, 2 / 3]);
  });

  it('is the same for the same seed and differs for another', () => {
    const data = { a: [1, 0, 1, 1, 0.25, 0.5, 0.75], b: [0, 0, 1, 0, 0.5, 0.1, 0.2] };
    const run = (seed: number) => pairedBootstrap(data, { seed, resamples: 500 });
    expect(run(3)).toEqual(run(3));
    expect(run(3)).not.toEqual(run(4));
  });

  it('widens when items come in clusters of copies', () => {
    const values = Array.from({ length: 40 }, (_, i) => (i % 3 === 0 ? 1 : 0));
    const copies = values.flatMap((value) => [value, value, value, value]);
    const zeros = copies.map(() => 0);
    const clusters = copies.map((_, i) => String(Math.floor(i / 4)));
    const width = ({ low, high }: { low: number; high: number }) => high - low;
    const naive = pairedBootstrap({ a: copies, b: zeros }, { seed: 2 });
    const honest = pairedBootstrap({ a: copies, b: zeros, clusters }, { seed: 2 });
    // Four copies carry the information of one: the standard error doubles.
    expect(width(honest) / width(naive)).toBeGreaterThan(1.7);
    expect(width(honest) / width(naive)).toBeLessThan(2.3);
  });
});

describe('macroAverage', () => {
  it('averages strata without weights and keeps them fixed while resampling', () => {
    const large = Array.from({ length: 400 }, (_, i) => (i < 40 ? 1 : 0));
    const small = [1, 1, 0, 0];
    const { value, low, high, strata, degenerateStrata } = macroAverage([large, small], {
      seed: 9,
    });
    expect(value).toBeCloseTo(0.3, 12);
    // Standard error by the textbook formula for independent strata: sqrt(.09/400 + .25/4) / 2.
    const expected = Math.sqrt(0.09 / 400 + 0.25 / 4) / 2;
    expect((high - low) / 3.92).toBeGreaterThan(0.8 * expected);
    expect((high - low) / 3.92).toBeLessThan(1.2 * expected);
    expect({ strata, degenerateStrata }).toEqual({ strata: 2, degenerateStrata: 0 });
  });

  it('says which strata add no width', () => {
    expect(
      macroAverage(
        [
          [0, 0, 0],
          [0, 1],
        ],
        { seed: 1, resamples: 50 },
      ).degenerateStrata,
    ).toBe(1);
  });
});

describe('percentileInterval', () => {
  it('does not need sorted replicates', () => {
    const replicates = Float64Array.from([5, 1, 4, 2, 3]);
    expect(percentileInterval(3, replicates, 0.5)).toMatchObject({ low: 2, high: 4 });
  });
});
