import { describe, expect, it } from 'vitest';
import reference from '../../test/reference/statistics-reference.json' with { type: 'json' };
import { type RandomStream, seededRandom } from '../seeded-random.ts';
import { roganGladen } from './rogan-gladen.ts';

function binomial(trials: number, probability: number, random: RandomStream): number {
  let successes = 0;
  for (let i = 0; i < trials; i += 1) if (random() < probability) successes += 1;
  return successes;
}

describe('roganGladen', () => {
  it('equals the reference script within 1e-9', () => {
    for (const { observed, sensitivity, specificity, value, low, high } of reference.roganGladen) {
      const proportion = ([successes = 0, trials = 0]: readonly number[]) => ({
        successes,
        trials,
      });
      const result = roganGladen(proportion(observed), {
        sensitivity: proportion(sensitivity),
        specificity: proportion(specificity),
      });
      expect(Math.abs(result.value - value)).toBeLessThan(1e-9);
      expect(Math.abs(result.low - low)).toBeLessThan(1e-9);
      expect(Math.abs(result.high - high)).toBeLessThan(1e-9);
    }
  });

  it('covers the true rate about as often as it says', () => {
    const random = seededRandom(17);
    const truth = { rate: 0.15, sensitivity: 0.8, specificity: 0.95 };
    const apparent = truth.rate * truth.sensitivity + (1 - truth.rate) * (1 - truth.specificity);
    let covered = 0;
    const rounds = 3000;
    for (let i = 0; i < rounds; i += 1) {
      const { low, high } = roganGladen(
        { successes: binomial(300, apparent, random), trials: 300 },
        {
          sensitivity: { successes: binomial(120, truth.sensitivity, random), trials: 120 },
          specificity: { successes: binomial(150, truth.specificity, random), trials: 150 },
        },
      );
      if (low <= truth.rate && truth.rate <= high) covered += 1;
    }
    expect(covered / rounds).toBeGreaterThan(0.935);
    expect(covered / rounds).toBeLessThan(0.975);
  });

  it('refuses a judge that is no better than chance', () => {
    expect(() =>
      roganGladen(
        { successes: 10, trials: 100 },
        {
          sensitivity: { successes: 10, trials: 100 },
          specificity: { successes: 80, trials: 100 },
        },
      ),
    ).toThrow(expect.objectContaining({ code: 'BAD_ARGUMENT' }));
  });

  it('marks an estimate that left the unit interval', () => {
    const result = roganGladen(
      { successes: 0, trials: 100 },
      { sensitivity: { successes: 90, trials: 100 }, specificity: { successes: 90, trials: 100 } },
    );
    expect(result).toMatchObject({ value: 0, truncated: true });
  });
});
