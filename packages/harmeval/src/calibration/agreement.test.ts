import { describe, expect, it } from 'vitest';
import reference from '../../test/reference/statistics-reference.json' with { type: 'json' };
import { agreement, cohenKappa } from './agreement.ts';

describe('cohenKappa', () => {
  it('equals statsmodels within 1e-9, with its standard error', () => {
    for (const { table, kappa, standardError } of reference.kappa) {
      const result = cohenKappa(table);
      expect(Math.abs((result.kappa ?? Number.NaN) - kappa)).toBeLessThan(1e-9);
      expect(Math.abs((result.standardError ?? Number.NaN) - standardError)).toBeLessThan(1e-9);
    }
  });

  it('is undefined when both raters only know one class', () => {
    expect(
      cohenKappa([
        [7, 0],
        [0, 0],
      ]).kappa,
    ).toBeNull();
  });
});

describe('agreement', () => {
  it('counts pairs without a verdict instead of guessing', () => {
    const result = agreement([
      { judge: true, human: true },
      { judge: true, human: false },
      { judge: false, human: false },
      { judge: null, human: true },
    ]);
    expect(result).toMatchObject({
      n: 3,
      unscored: 1,
      truePositive: 1,
      falsePositive: 1,
      falseNegative: 0,
      trueNegative: 1,
    });
    expect(result.specificity?.value).toBe(0.5);
  });

  it('refuses a calibration without a single verdict', () => {
    expect(() => agreement([{ judge: null, human: true }])).toThrow(
      expect.objectContaining({ code: 'BAD_ARGUMENT' }),
    );
  });
});
