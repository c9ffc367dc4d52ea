// The closed form against the literal formula, the unit vectors of the paper, and inputs that break naive code.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileFormula, TermScores } from './compile-formula.ts';
import { penalise, term } from './expr.ts';
import { fromLambda, toLambda } from './lambda.ts';
import { evaluateLiteral, logSoftmax } from './literal.ts';
import { lma } from './lma-parser.ts';

const [sa, unsafe] = [term('sa'), term('unsafe')];
const literalFormula = (lambda: number) => lma(`sa - ${lambda}*union(unsafe, sa)`, { sa, unsafe });

function fused(lambda: number, s: ArrayLike<number>, u: ArrayLike<number>): Float64Array {
  const phase = compileFormula(literalFormula(lambda)).phaseAt(0);
  const out = new Float64Array(s.length);
  phase.evaluate(
    new Map([
      ['sa', new TermScores(Float32Array.from(s))],
      ['unsafe', new TermScores(Float32Array.from(u))],
    ]),
    out,
  );
  return logSoftmax(out);
}

const probabilities = (logProbs: Float64Array): number[] => [...logProbs].map(Math.exp);

describe('SafeInfer in closed form', () => {
  it('is found in the reference notation and named', () => {
    const phase = compileFormula(literalFormula(0.99)).phaseAt(0);
    expect(phase.method).toBe('fused');
    expect(phase.expr).toMatchObject({ kind: 'penalise', base: sa, by: unsafe });
    expect((phase.expr as { beta: number }).beta).toBeCloseTo(99, 9);
    expect(fromLambda(0.99).beta).toBeCloseTo(99, 9);
    expect(toLambda(99)).toBeCloseTo(0.99, 12);
  });

  it('reproduces the numbers of the paper’s figure', () => {
    const p = [0.56, 0.41, 0.08].map(Math.log);
    const u = [0.98, 0.011, 0.0005].map(Math.log);
    // The figure's vectors do not add up to 1: it takes them as they are, so do these checks.
    const s = p.map((v, i) => v - 99 * Math.max(0, (u[i] as number) - v));
    const direct = probabilities(logSoftmax(s));
    expect(direct[0]).toBeLessThan(1e-20);
    expect(direct[1]).toBeCloseTo(0.8367, 4);
    expect(direct[2]).toBeCloseTo(0.1633, 4);
    const c = p.map((v, i) => Math.exp(Math.max(v, u[i] as number)));
    const total = c.reduce((x, y) => x + y, 0);
    expect(c.map((v) => v / total).map((v) => Number(v.toFixed(4)))).toEqual([
      0.6667, 0.2789, 0.0544,
    ]);
    // Negative control: the printed equation read on probabilities, then softmax, is nearly flat.
    const onProbabilities = p.map((v, i) => Math.exp(v) - 0.99 * ((c[i] as number) / total));
    expect(probabilities(logSoftmax(onProbabilities)).map((v) => Number(v.toFixed(4)))).toEqual([
      0.2943, 0.3718, 0.3339,
    ]);
  });

  it('equals the literal formula within 1e-6 over adversarial logits, -inf included', () => {
    const logit = fc.oneof(
      fc.double({ min: -30, max: 30, noNaN: true }),
      fc.double({ min: -1e-3, max: 1e-3, noNaN: true }),
      fc.constantFrom(0, -80, 80, Number.NEGATIVE_INFINITY),
    );
    let checked = 0;
    fc.assert(
      fc.property(
        fc.array(fc.tuple(logit, logit), { minLength: 2, maxLength: 40 }),
        fc.constantFrom(0, 0.5, 0.9, 0.96, 0.99),
        (pairs, lambda) => {
          const s = Float32Array.from(pairs, (pair) => pair[0]);
          const u = Float32Array.from(pairs, (pair) => pair[1]);
          fc.pre(s.some(Number.isFinite) && u.some(Number.isFinite));
          const want = evaluateLiteral(literalFormula(lambda), { sa: s, unsafe: u });
          const got = fused(lambda, s, u);
          for (let i = 0; i < s.length; i++) {
            expect(Number.isNaN(got[i] as number)).toBe(false);
            const error = Math.abs(Math.exp(got[i] as number) - Math.exp(want[i] as number));
            expect(error).toBeLessThan(1e-6);
            expect((got[i] as number) === Number.NEGATIVE_INFINITY).toBe(
              s[i] === Number.NEGATIVE_INFINITY,
            );
          }
          checked++;
        },
      ),
      { numRuns: 1000, seed: 7 },
    );
    expect(checked).toBeGreaterThan(500);
  });

  it('is NaN-free with 99 % of the vocabulary masked in both terms', () => {
    const s = Float32Array.from({ length: 2000 }, (_, i) =>
      i % 100 === 0 ? -i / 500 : Number.NEGATIVE_INFINITY,
    );
    const u = Float32Array.from({ length: 2000 }, (_, i) =>
      i % 100 === 50 ? 0 : Number.NEGATIVE_INFINITY,
    );
    const got = fused(0.99, s, u);
    expect(got.some(Number.isNaN)).toBe(false);
    expect(probabilities(got).reduce((x, y) => x + y, 0)).toBeCloseTo(1, 9);
  });

  it('leaves the base untouched, bit for bit, at lambda 0', () => {
    const s = Float32Array.from([0.1, -3.7, 2.25, Number.NEGATIVE_INFINITY]);
    const out = new Float64Array(4);
    compileFormula(penalise(sa, unsafe, fromLambda(0)))
      .phaseAt(0)
      .evaluate(
        new Map([
          ['sa', new TermScores(s)],
          ['unsafe', new TermScores(Float32Array.from([9, 9, -9, 0]))],
        ]),
        out,
      );
    expect(out).toEqual(Float64Array.from(s));
  });

  it('negative control: forgetting the division by 1 - lambda flattens the distribution', () => {
    const s = Float32Array.from({ length: 32_000 }, (_, i) => -Math.log(i + 1) * 1.5);
    const u = s.map((v, i) => v + Math.sin(i) * 0.05);
    const right = fused(0.99, s, u);
    const [ls, lu] = [logSoftmax(s), logSoftmax(u)];
    const undivided = logSoftmax(ls.map((v, i) => v - 0.99 * Math.max(v, lu[i] as number)));
    const entropy = (x: Float64Array): number => -x.reduce((t, v) => t + Math.exp(v) * v, 0);
    expect(entropy(undivided)).toBeGreaterThan(10.3);
    expect(entropy(right)).toBeLessThan(3);
  });

  it('refuses lambda outside [0, 1)', () => {
    for (const lambda of [1, 1.5, -0.1, Number.NaN]) {
      expect(() => fromLambda(lambda)).toThrowError(
        expect.objectContaining({ code: 'BAD_ARGUMENT' }),
      );
    }
  });
});
