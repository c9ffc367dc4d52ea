import { describe, expect, it } from 'vitest';
import reference from '../../test/reference/statistics-reference.json' with { type: 'json' };
import { newcombe, newcombePaired } from './newcombe.ts';

describe('newcombe', () => {
  it('equals statsmodels within 1e-9', () => {
    for (const { a, b, low, high } of reference.newcombe) {
      const [s1 = 0, n1 = 0] = a;
      const [s2 = 0, n2 = 0] = b;
      const interval = newcombe({ successes: s1, trials: n1 }, { successes: s2, trials: n2 });
      expect(Math.abs(interval.low - low)).toBeLessThan(1e-9);
      expect(Math.abs(interval.high - high)).toBeLessThan(1e-9);
    }
  });

  it('gives the published interval of 56/70 against 48/80 (Newcombe 1998a, table II)', () => {
    const { low, high } = newcombe({ successes: 56, trials: 70 }, { successes: 48, trials: 80 });
    expect([low.toFixed(4), high.toFixed(4)]).toEqual(['0.0524', '0.3339']);
  });
});

describe('newcombePaired', () => {
  it('covers the true difference as often as it says, by complete enumeration', () => {
    // All tables of 30 pairs under known cell probabilities: no simulation, no reference implementation.
    const pairs = 30;
    const logFactorial = [0];
    for (let n = 1; n <= pairs; n += 1) logFactorial.push((logFactorial[n - 1] ?? 0) + Math.log(n));
    const log = (n: number) => logFactorial[n] ?? 0;
    const coverages = [
      [0.3, 0.25, 0.1, 0.35],
      [0.05, 0.1, 0.05, 0.8],
      [0.6, 0.05, 0.2, 0.15],
      [0.2, 0.3, 0.3, 0.2],
    ].map(([p11 = 0, p10 = 0, p01 = 0, p00 = 0]) => {
      let covered = 0;
      for (let a = 0; a <= pairs; a += 1) {
        for (let b = 0; a + b <= pairs; b += 1) {
          for (let c = 0; a + b + c <= pairs; c += 1) {
            const d = pairs - a - b - c;
            const probability = Math.exp(
              log(pairs) -
                log(a) -
                log(b) -
                log(c) -
                log(d) +
                a * Math.log(p11) +
                b * Math.log(p10) +
                c * Math.log(p01) +
                d * Math.log(p00),
            );
            const { low, high } = newcombePaired({
              both: a,
              onlyFirst: b,
              onlySecond: c,
              neither: d,
            });
            if (low <= p10 - p01 && p10 - p01 <= high) covered += probability;
          }
        }
      }
      return covered;
    });
    for (const coverage of coverages) {
      expect(coverage).toBeGreaterThan(0.93);
      expect(coverage).toBeLessThan(0.985);
    }
  });

  it('is narrower than the unpaired interval when the arms agree on most items', () => {
    const paired = newcombePaired({ both: 100, onlyFirst: 20, onlySecond: 8, neither: 72 });
    const unpaired = newcombe({ successes: 120, trials: 200 }, { successes: 108, trials: 200 });
    expect(paired.value).toBeCloseTo(unpaired.value, 12);
    expect(paired.high - paired.low).toBeLessThan(0.75 * (unpaired.high - unpaired.low));
  });

  it('stays defined when one arm never varies', () => {
    const { low, high, value } = newcombePaired({
      both: 0,
      onlyFirst: 0,
      onlySecond: 5,
      neither: 45,
    });
    expect(value).toBeCloseTo(-0.1, 12);
    expect(low).toBeLessThan(value);
    expect(high).toBeGreaterThan(value);
  });
});
