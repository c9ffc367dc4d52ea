import { describe, expect, it } from 'vitest';
import reference from '../../test/reference/statistics-reference.json' with { type: 'json' };
import { oneSidedBound, wilson } from './wilson.ts';

describe('wilson', () => {
  it('equals statsmodels within 1e-9', () => {
    for (const { successes, trials, confidence, low, high } of reference.wilson) {
      const interval = wilson(successes, trials, confidence);
      expect(Math.abs(interval.low - low)).toBeLessThan(1e-9);
      expect(Math.abs(interval.high - high)).toBeLessThan(1e-9);
    }
  });

  it('gives the intervals that the paper leaves out', () => {
    const percent = (successes: number, trials: number) => {
      const { low, high } = wilson(successes, trials);
      return [low * 100, high * 100].map((value) => Number(value.toFixed(2)));
    };
    expect(percent(6, 550)).toEqual([0.5, 2.36]);
    expect(percent(0, 50)).toEqual([0, 7.13]);
    expect(percent(119, 550)).toEqual([18.4, 25.27]);
  });

  it('bounds an empty and a full cell from one side, exactly', () => {
    for (const { trials, upper } of reference.oneSided) {
      expect(oneSidedBound(0, trials)).toBeCloseTo(upper, 10);
      expect(oneSidedBound(trials, trials)).toBeCloseTo(1 - upper, 10);
    }
    expect(oneSidedBound(1, 10)).toBeNull();
  });

  it('refuses what is no proportion', () => {
    for (const [successes, trials] of [
      [3, 2],
      [-1, 5],
      [0.5, 2],
      [0, 0],
    ] as const) {
      expect(() => wilson(successes, trials)).toThrow(
        expect.objectContaining({ code: 'BAD_ARGUMENT' }),
      );
    }
    expect(() => wilson(1, 2, 95)).toThrow(expect.objectContaining({ code: 'BAD_ARGUMENT' }));
  });
});
