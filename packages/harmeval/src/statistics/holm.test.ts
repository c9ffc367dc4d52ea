import { describe, expect, it } from 'vitest';
import reference from '../../test/reference/statistics-reference.json' with { type: 'json' };
import { holm } from './holm.ts';

describe('holm', () => {
  it('equals statsmodels, in the order given', () => {
    for (const { p, adjusted } of reference.holm) {
      holm(p).forEach((value, i) => {
        expect(Math.abs(value - (adjusted[i] ?? Number.NaN))).toBeLessThan(1e-12);
      });
    }
  });

  it('refuses what is no p-value', () => {
    expect(() => holm([0.2, Number.NaN])).toThrow(
      expect.objectContaining({ code: 'BAD_ARGUMENT' }),
    );
  });
});
