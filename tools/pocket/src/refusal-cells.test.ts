import { describe, expect, it } from 'vitest';
import { PROMPT_STYLES, TEMPLATES } from './prompt-styles.ts';
import { refusalProbability } from './refusal-cells.ts';
import { splitHarmful } from './splits.ts';

describe('refusalProbability', () => {
  const probabilities = (style: (typeof PROMPT_STYLES)[number]): number[] =>
    splitHarmful(7).train.flatMap((action) =>
      TEMPLATES[style].train.map((template) =>
        refusalProbability({ action, style, template, cells: 'lower' }),
      ),
    );
  const below = (style: (typeof PROMPT_STYLES)[number]): number => {
    const all = probabilities(style);
    return all.filter((p) => p < 0.5).length / all.length;
  };

  it('makes a minority of simple and most instruction-centric requests succeed', () => {
    expect(below('simple')).toBeGreaterThan(0.15);
    expect(below('simple')).toBeLessThan(0.5);
    expect(below('instruction')).toBeGreaterThan(0.7);
    expect(below('instruction-cot')).toBeGreaterThan(0.7);
  });

  it('stays within floor and ceiling and reaches a floor near zero for instruction-centric requests', () => {
    for (const style of PROMPT_STYLES) {
      const all = probabilities(style);
      expect(Math.max(...all)).toBeLessThanOrEqual(0.97);
      expect(Math.min(...all)).toBeGreaterThanOrEqual(style === 'simple' ? 0.1 : 0.03);
    }
    expect(Math.min(...probabilities('instruction'))).toBeCloseTo(0.04);
  });
});
