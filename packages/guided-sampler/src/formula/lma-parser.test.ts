// The notation of the reference library: structure, norms, refusals.
import { describe, expect, it } from 'vitest';
import { checkFormula } from './check-formula.ts';
import { compileFormula, TermScores } from './compile-formula.ts';
import { describe as describeExpr } from './describe.ts';
import { combine, type Expr, term, weighted } from './expr.ts';
import { evaluateLiteral, logSoftmax } from './literal.ts';
import { lma } from './lma-parser.ts';
import { staticNorm } from './static-norm.ts';

const terms = { a: term('a'), b: term('b'), c: term('c') };
const logits = {
  a: [1.5, -0.25, 0.5, -2, 3],
  b: [0.25, 2, -1, -0.5, 1],
  c: [-1, 0.5, 0.75, 1, -3],
};
const literal = (source: string): number[] => [...evaluateLiteral(lma(source, terms), logits)];
const [la, lb, lc] = [logits.a, logits.b, logits.c].map(logSoftmax) as [
  Float64Array,
  Float64Array,
  Float64Array,
];
const soft = (at: (i: number) => number): number[] => [...logSoftmax([0, 1, 2, 3, 4].map(at))];

function expectClose(got: readonly number[], want: readonly number[]): void {
  want.forEach((value, i) => {
    expect(got[i]).toBeCloseTo(value, 10);
  });
}

describe('lma notation', () => {
  it('divides a sum by its norm: a + b is the geometric mean', () => {
    expectClose(
      literal('a + b'),
      soft((i) => ((la[i] as number) + (lb[i] as number)) / 2),
    );
    expectClose(
      literal('2*a - 0.5*b'),
      soft((i) => (2 * (la[i] as number) - 0.5 * (lb[i] as number)) / 1.5),
    );
    expectClose(
      literal('(a - b/2) * 4'),
      soft((i) => ((la[i] as number) - (lb[i] as number) / 2) / 0.5),
    );
  });

  it('knows union, intersection and their library names', () => {
    const max = soft((i) => Math.max(la[i] as number, lb[i] as number));
    for (const name of ['union', 'Union', 'max', 'Max']) expectClose(literal(`${name}(a, b)`), max);
    expectClose(
      literal('Intersection(a, b)'),
      soft((i) => Math.min(la[i] as number, lb[i] as number)),
    );
    expectClose(
      literal('a - 0.96 * Union(a, b)'),
      soft((i) => ((la[i] as number) - 0.96 * Math.max(la[i] as number, lb[i] as number)) / 0.04),
    );
  });

  it('takes the norm of the side that wins, token by token', () => {
    expect(staticNorm(lma('union(2*a, b)', terms))).toBe('varies');
    expectClose(
      literal('union(2*a, b)'),
      soft((i) =>
        2 * (la[i] as number) > (lb[i] as number) ? (la[i] as number) : (lb[i] as number),
      ),
    );
  });

  it('reads comparisons as indicators', () => {
    expectClose(
      literal('a + (b > c) * (b - 0.5*c)'),
      soft((i) => {
        const on = (lb[i] as number) >= (lc[i] as number) ? 1 : 0;
        return (
          ((la[i] as number) + on * ((lb[i] as number) - 0.5 * (lc[i] as number))) / (1 + 0.5 * on)
        );
      }),
    );
  });

  it('compiles every formula to the same result as the literal reading', () => {
    const sources = [
      'a',
      '3*a',
      'a + b',
      '2*a - 0.5*b + 0.25*c',
      'union(a, b)',
      'intersection(a, b, c)',
      'union(2*a, b)',
      'a - 0.99*union(b, a)',
      'a - 0.96*union(a, b)',
      '2*a - union(a, b)',
      'a + 0.5*(b > c)*b',
      'a - 0.9*union(union(b, c), a)',
      'a + b - 0.5*union(a, c)',
      '2*(a + b) - union(a + b, 2*c)',
      '-0.5*a + 2*b',
    ];
    for (const source of sources) {
      const expr = lma(source, terms);
      const out = new Float64Array(5);
      const scores = Object.entries(logits).map(
        ([id, v]) => [id, new TermScores(Float32Array.from(v))] as const,
      );
      compileFormula(expr).phaseAt(0).evaluate(new Map(scores), out);
      const want = literal(source);
      [...logSoftmax(out)].forEach((value, i) => {
        expect(Math.abs(value - (want[i] as number)), `${source} [${i}]`).toBeLessThan(1e-9);
      });
    }
  });

  it.each([
    ['a +', /unexpected end/],
    ['a $ b', /unexpected "\$"/],
    ['a b', /unexpected "b"/],
    ['unknown - a', /unknown term "unknown"/],
    ['toString', /unknown term/],
    ['frob(a, b)', /unknown function/],
    ['union(a)', /at least two/],
    ['a / b', /division/],
    ['(a', /expected "\)"/],
  ])('refuses %s with a position', (source, message) => {
    expect(() => lma(source, terms)).toThrowError(message);
  });

  it.each([
    ['a - b', /norm .* is 0/],
    ['a - 2*b', /norm .* is -1/],
    ['a - 1.5*union(b, a)', /norm/],
  ])('refuses %s because of its norm', (source, message) => {
    expect(() => checkFormula(lma(source, terms))).toThrowError(message);
  });

  it('refuses two terms with one id, and shares one term object', () => {
    const spec = {} as NonNullable<Extract<Expr, { kind: 'term' }>['spec']>;
    const [one, two] = [term('m', { ...spec }), term('m', { ...spec })];
    expect(() => checkFormula(combine(weighted(1, one), weighted(1, two)))).toThrowError(
      /two different terms/,
    );
    expect(() => checkFormula(combine(weighted(1, one), weighted(1, one)))).not.toThrow();
  });

  it('prints what it reads', () => {
    expect(describeExpr(lma('a - 0.99*union(b, a)', terms))).toBe('a - 0.99*union(b, a)');
  });
});
