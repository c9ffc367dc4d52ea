import { describe, expect, it } from 'vitest';
import reference from '../../test/reference/statistics-reference.json' with { type: 'json' };
import { exactMcNemar } from './mcnemar.ts';

describe('exactMcNemar', () => {
  it('equals statsmodels and scipy within 1e-10', () => {
    for (const { cells, p, midP } of reference.mcnemar) {
      const [both = 0, onlyFirst = 0, onlySecond = 0, neither = 0] = cells;
      const result = exactMcNemar({ both, onlyFirst, onlySecond, neither });
      expect(Math.abs(result.p - p)).toBeLessThan(1e-10);
      expect(Math.abs(result.midP - midP)).toBeLessThan(1e-10);
    }
  });

  it('has no evidence without discordant items', () => {
    expect(exactMcNemar({ both: 4, onlyFirst: 0, onlySecond: 0, neither: 6 })).toEqual({
      p: 1,
      midP: 1,
      discordant: 0,
    });
  });

  it('does not underflow on thousands of discordant items', () => {
    const { p } = exactMcNemar({ both: 0, onlyFirst: 2600, onlySecond: 2400, neither: 0 });
    // Normal approximation of the same tail with continuity correction: z = 199 / sqrt(5000).
    expect(p).toBeGreaterThan(0.0045);
    expect(p).toBeLessThan(0.0053);
  });
});
