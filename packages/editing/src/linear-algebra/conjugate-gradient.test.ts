import { describe, expect, it } from 'vitest';
import { solveMoment } from '../second-moment/second-moment.ts';
import { RandomState } from '../trace/random-state.ts';
import { conjugateGradient } from './conjugate-gradient.ts';
import { norm } from './vector.ts';

/** A AT / m of random A [n, m]: positive definite for m > n. */
function moment(n: number, m: number): Float64Array {
  const a = new RandomState(4).randn(n * m);
  return Float64Array.from({ length: n * n }, (_, at) => {
    const [i, j] = [Math.floor(at / n), at % n];
    let sum = 0;
    for (let k = 0; k < m; k += 1) sum += a[i * m + k]! * a[j * m + k]! * ((1 + i) * (1 + j));
    return sum / m;
  });
}

describe('conjugateGradient', () => {
  it('equals the Cholesky solution, and solveMoment takes it when asked', () => {
    const n = 40;
    const values = moment(n, 3 * n);
    const key = new RandomState(5).randn(n);
    const measured = { kind: 'measured', values, size: n, tokens: 3 * n } as const;
    const expected = solveMoment(measured, key, 'cholesky');
    for (const x of [conjugateGradient(values, key), solveMoment(measured, key, 'cg')])
      expect(norm(x.map((v, i) => v - expected[i]!)) / norm(expected)).toBeLessThan(1e-8);
    expect(solveMoment(measured, key)).toEqual(expected);
    const residual = Float64Array.from(key, (b, i) => {
      const x = conjugateGradient(values, key);
      return x.reduce((sum, v, j) => sum + v * values[i * n + j]!, 0) - b;
    });
    expect(norm(residual) / norm(key)).toBeLessThan(1e-9);
  });

  it('takes a matrix whose halves differ by rounding, and refuses one that is not symmetric', () => {
    const n = 12;
    const values = moment(n, 40);
    const rounded = values.slice();
    rounded[1]! *= 1 + 1e-7;
    const key = new RandomState(5).randn(n);
    const at = (v: Float64Array): Float64Array =>
      solveMoment({ kind: 'measured', values: v, size: n, tokens: 40 }, key);
    expect(norm(at(rounded).map((x, i) => x - at(values)[i]!)) / norm(at(values))).toBeLessThan(
      1e-5,
    );
    rounded[1]! += 1;
    expect(() => at(rounded)).toThrow(expect.objectContaining({ code: 'BAD_ARGUMENT' }));
  });

  it.each([
    ['fewer tokens than it is wide', moment(12, 5)],
    ['zero', new Float64Array(144)],
    ['an indefinite matrix', Float64Array.from({ length: 144 }, (_, i) => (i % 13 === 0 ? 1 : 2))],
  ])('refuses a matrix of %s', (_, values) => {
    expect(() => conjugateGradient(values, new RandomState(5).randn(12))).toThrow(
      expect.objectContaining({ code: 'SINGULAR' }),
    );
  });
});
