// Every recipe against values computed from its published formula by an independent script (tools/parity).
import { describe, expect, it } from 'vitest';
import { compileFormula, TermScores } from '../formula/compile-formula.ts';
import { type Expr, term } from '../formula/expr.ts';
import { evaluateLiteral, logSoftmax } from '../formula/literal.ts';
import { lma } from '../formula/lma-parser.ts';
import {
  classifierFreeFormula,
  contextAwareFormula,
  contrastiveFormula,
  dexpertsFormula,
  proxyTuningFormula,
  roseFormula,
  safeDecodingFormula,
  safeInferFormula,
  selfCdFormula,
} from './formulas.ts';
import { golden } from './recipe-golden.fixture.ts';

const [a, b, c] = [term('a'), term('b'), term('c')];
const recipes: Readonly<Record<string, Expr>> = {
  'safeInfer 0': safeInferFormula(a, b, { lambda: 0 }),
  'safeInfer 0.5': safeInferFormula(a, b, { lambda: 0.5 }),
  'safeInfer 0.9': safeInferFormula(a, b, { lambda: 0.9 }),
  'safeInfer 0.99': safeInferFormula(a, b),
  safeDecoding: safeDecodingFormula(a, b),
  selfCd: selfCdFormula(a, b),
  rose: roseFormula(a, b),
  dexperts: dexpertsFormula(a, b, c),
  proxyTuning: proxyTuningFormula(a, b, c),
  contrastive: contrastiveFormula(a, b),
  contextAware: contextAwareFormula(a, b),
  classifierFree: classifierFreeFormula(a, b),
};

function run(expr: Expr, logits: Readonly<Record<string, readonly number[]>>): Float64Array {
  const phase = compileFormula(expr).phaseAt(0);
  const out = new Float64Array((logits['a'] as readonly number[]).length);
  const scores = Object.entries(logits).map(
    ([id, v]) => [id, new TermScores(Float32Array.from(v))] as const,
  );
  phase.evaluate(new Map(scores), out);
  return logSoftmax(out);
}

describe('recipes', () => {
  it('covers every golden formula', () => {
    expect(Object.keys(recipes).sort()).toEqual(
      Object.keys(golden.cases[0]?.expected ?? {}).sort(),
    );
  });

  describe.each(Object.keys(recipes))('%s', (name) => {
    it('gives the published distribution, fused and literal', () => {
      for (const item of golden.cases) {
        const expected = item.expected[name] as readonly number[];
        const logits = { a: item.a, b: item.b, c: item.c };
        const fused = run(recipes[name] as Expr, logits);
        const literal = evaluateLiteral(recipes[name] as Expr, logits);
        expected.forEach((want, i) => {
          if (want === golden.removed) {
            expect(fused[i]).toBe(Number.NEGATIVE_INFINITY);
            expect(literal[i]).toBe(Number.NEGATIVE_INFINITY);
          } else {
            expect(Math.abs(Math.exp(fused[i] as number) - Math.exp(want))).toBeLessThan(1e-6);
            expect(literal[i]).toBeCloseTo(want, 9);
          }
        });
      }
    });
  });

  it('is the parsed reference notation for SafeInfer', () => {
    const parsed = lma('M - 0.99 * Union(U, M)', { M: a, U: b });
    for (const item of golden.cases) {
      const want = item.expected['safeInfer 0.99'] as readonly number[];
      const got = evaluateLiteral(parsed, { a: item.a, b: item.b });
      want.forEach((value, i) => {
        expect(got[i]).toBeCloseTo(value, 8);
      });
    }
  });

  it('runs SafeDecoding on two tokens and then the base alone', () => {
    const compiled = compileFormula(safeDecodingFormula(a, b));
    expect(compiled.phaseAt(1).terms).toEqual(['a', 'b']);
    expect(compiled.phaseAt(2).terms).toEqual(['a']);
    expect(compiled.phaseAt(2).method).toBe('linear');
  });
});
