import { describe, expect, it } from 'vitest';
import { type EditMeasures, editAlarms } from './edit-alarms.ts';

const fine: EditMeasures = {
  relativeDenominator: 0.3,
  keyCosine: 0.9,
  relativeNorm: 0.05,
  subjectFirst: 0,
  targetProbability: 0.98,
  perplexityRatio: 1.01,
};

describe('editAlarms', () => {
  it('is silent for an ordinary edit and for measures nobody took', () => {
    expect(editAlarms(fine)).toEqual([]);
    expect(editAlarms({ relativeNorm: 0.1, subjectFirst: 0 })).toEqual([]);
  });

  it.each([
    ['denominator', { relativeDenominator: 1e-4 }],
    ['keyCosine', { keyCosine: 0.1 }],
    ['relativeNorm', { relativeNorm: 3 }],
    ['subjectFirst', { subjectFirst: 1 }],
    ['targetProbability', { targetProbability: 0.2 }],
    ['perplexityDrift', { perplexityRatio: 2 }],
    // NaN is never a pass.
    ['relativeNorm', { relativeNorm: Number.NaN }],
    ['perplexityDrift', { perplexityRatio: Number.NaN }],
  ])('%s', (kind, change) => {
    expect(editAlarms({ ...fine, ...change })).toEqual([expect.objectContaining({ kind })]);
  });
});
