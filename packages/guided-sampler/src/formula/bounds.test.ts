// Early decisions from bounds: the published thresholds, and never a different token than the whole formula gives.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { contrastiveFormula, dexpertsFormula, safeInferFormula } from '../recipes/formulas.ts';
import { decidedToken } from '../sampling/choose.ts';
import { scoreBounds } from './bounds.ts';
import { compileFormula, TermScores } from './compile-formula.ts';
import { type Expr, term } from './expr.ts';
import { evaluateLiteral } from './literal.ts';

const [a, b, c] = [term('a'), term('b'), term('c')];

/** The token that the first term alone decides for greedy decoding; -1 when it leaves a choice. */
function decided(formula: Expr, first: ArrayLike<number>): number {
  const { expr } = compileFormula(formula).phaseAt(0);
  const scores = new TermScores(Float32Array.from(first));
  const bounds = scoreBounds(expr, new Map([['a', scores]]), first.length);
  return bounds === undefined ? -1 : decidedToken(bounds, undefined, 1);
}

/** Log-probabilities with p1 on token 1 and everything else on token 0: the hardest case for the rule. */
const peaked = (p1: number): number[] => [Math.log(1 - p1), Math.log(p1), -60];

describe('SafeInfer', () => {
  it.each([
    [0.99, 0.967],
    [0.9, 0.835],
    [0.5, 0.618],
  ])('at lambda %d always decides from p1 = %d on, and not much below it', (lambda, p1) => {
    const formula = safeInferFormula(a, b, { lambda });
    expect(decided(formula, peaked(p1 + 0.001))).toBe(1);
    expect(decided(formula, peaked(p1 - 0.002))).toBe(-1);
  });
});

/** Rows of logits from nearly flat to one token that has nearly everything. */
const row = fc
  .tuple(
    fc.array(fc.double({ min: -6, max: 6, noNaN: true }), { minLength: 6, maxLength: 6 }),
    fc.nat(12),
  )
  .map(([values, lead]) => values.map((v, i) => (i === 2 ? v + lead : v)));

describe.each<[string, Expr, number]>([
  ['SafeInfer 0.99', safeInferFormula(a, b), 300],
  ['SafeInfer 0.5', safeInferFormula(a, b, { lambda: 0.5 }), 300],
  ['contrastive decoding', contrastiveFormula(a, b), 300],
  ['DExperts', dexpertsFormula(a, b, c), 300],
])('%s', (_name, formula, least) => {
  it('never decides for another token than all terms do', () => {
    let count = 0;
    fc.assert(
      fc.property(row, row, row, (x, y, z) => {
        const token = decided(formula, x);
        if (token < 0) return;
        count++;
        const final = evaluateLiteral(formula, { a: x, b: y, c: z });
        expect(token).toBe(final.indexOf(Math.max(...final)));
      }),
      { numRuns: 2500, seed: 3 },
    );
    expect(count).toBeGreaterThan(least);
  });
});
