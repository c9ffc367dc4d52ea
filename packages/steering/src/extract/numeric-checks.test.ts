// The numeric checks of the fact sheet's section 8, on the same kinds of toys.
import { describe, expect, it } from 'vitest';
import { randomVector } from '../../test/random-vector.ts';
import {
  combine,
  cosine,
  dot,
  identity,
  type Matrix,
  matrixOf,
  multiply,
  norm,
  rowOf,
  transpose,
} from '../linear-algebra/matrix.ts';
import { solveSpd } from '../linear-algebra/solve-spd.ts';
import { symmetricEigen } from '../linear-algebra/symmetric-eigen.ts';
import { andConceptors, conceptor, notConceptor, orConceptors } from './conceptor.ts';
import { differenceInMeans, pcaDirection } from './directions.ts';
import { fitProbe, probeAccuracy } from './linear-probe.ts';
import { nullSpaceGate } from './null-space-gate.ts';

function random(seed: number, rows: number, width: number, scale = 1): Matrix {
  const values = Float64Array.from(randomVector(seed, rows * width), (x) => x * scale);
  return { rows, width, values };
}

describe('PCA of differences', () => {
  // 50 differences: one direction of length 5 plus N(0, 0.1^2) a coordinate.
  const truth = random(1, 1, 16).values;
  const scale = 5 / norm(truth);
  const noise = random(2, 50, 16, 0.1);
  const negative = random(3, 50, 16);
  const positive: Matrix = {
    ...negative,
    values: negative.values.map((x, i) => x + truth[i % 16]! * scale + noise.values[i]!),
  };

  it('finds the direction when symmetrised and loses it when centred', () => {
    const kept = pcaDirection({ positive, negative });
    const lost = pcaDirection({ positive, negative, centre: 'centred' });
    expect(cosine(kept, truth)).toBeGreaterThan(0.9999);
    expect(Math.abs(cosine(lost, truth))).toBeLessThan(0.4);
    expect(norm(kept)).toBeCloseTo(1, 12);
  });

  it('points to the positive side, as the mean difference does', () => {
    expect(
      cosine(pcaDirection({ positive, negative }), differenceInMeans(positive, negative)),
    ).toBeGreaterThan(0.999);
    expect(cosine(pcaDirection({ positive: negative, negative: positive }), truth)).toBeLessThan(
      -0.999,
    );
  });

  it('refuses one-sided sets and pairs that do not match', () => {
    const none = matrixOf([], 16);
    expect(() => differenceInMeans(positive, none)).toThrow(/both sides/);
    expect(() => differenceInMeans(none, negative)).toThrow(/both sides/);
    expect(() => pcaDirection({ positive, negative: random(1, 3, 16) })).toThrow(/pair/);
  });
});

describe('the null-space gate', () => {
  const [d, rank, n] = [16, 6, 40];
  const span = random(5, rank, d);
  const benign = multiply(random(6, n, rank), span);
  // Harmful prompts share something that benign ones do not have.
  const own = random(7, 1, d).values;
  const harmful: Matrix = {
    ...benign,
    values: random(8, n, d, 0.05).values.map((x, i) => 4 * x + 3 * own[i % d]!),
  };
  const { gate, kept } = nullSpaceGate({ benign, harmful, rho: 10 / 16, lambda: 10 });

  it('is shut on benign activations and open on harmful ones', () => {
    expect(kept).toBe(10);
    for (let i = 0; i < n; i += 1) {
      expect(Math.abs(dot(rowOf(benign, i), gate))).toBeLessThan(1e-12);
      expect(dot(rowOf(harmful, i), gate)).toBeGreaterThan(0.9);
      expect(dot(rowOf(harmful, i), gate)).toBeLessThan(1.1);
    }
  });

  it("times r is AlphaSteer's matrix P (X'X + lambda P'P)^+ X'R, which has rank one", () => {
    // The published form, written out: P = QQ', X = harmful P, every row of R is r.
    const { vectors } = symmetricEigen(multiply(transpose(benign), benign));
    const q: Matrix = { rows: 10, width: d, values: vectors.values.slice(6 * d) };
    const p = multiply(transpose(q), q);
    const x = multiply(harmful, p);
    const r = random(9, 1, d).values;
    const targets: Matrix = {
      rows: n,
      width: d,
      values: Float64Array.from({ length: n * d }, (_, i) => r[i % d]!),
    };
    const system = combine(multiply(transpose(x), x), multiply(transpose(p), p), 10);
    const { values, vectors: basis } = symmetricEigen(system);
    const pseudo = new Float64Array(d * d);
    for (let k = 0; k < d; k += 1) {
      if (values[k]! < 1e-9) continue;
      for (let i = 0; i < d; i += 1)
        for (let j = 0; j < d; j += 1)
          pseudo[i * d + j]! += (basis.values[k * d + i]! * basis.values[k * d + j]!) / values[k]!;
    }
    const delta = multiply({ rows: d, width: d, values: pseudo }, multiply(transpose(x), targets));
    const published = multiply(p, delta);
    for (let i = 0; i < d; i += 1)
      for (let j = 0; j < d; j += 1)
        expect(Math.abs(published.values[i * d + j]! - gate[i]! * r[j]!)).toBeLessThan(1e-12);
    // Rank one: the second eigenvalue of M'M vanishes.
    const spectrum = symmetricEigen(multiply(transpose(published), published)).values;
    expect(spectrum[1]! / spectrum[0]!).toBeLessThan(1e-14);
  });

  it('refuses a set without one side', () => {
    expect(() => nullSpaceGate({ benign: matrixOf([], d), harmful })).toThrow(/benign/);
    expect(() => nullSpaceGate({ benign, harmful, rho: 0 })).toThrow(/rho/);
  });
});

describe('conceptors', () => {
  const [n, d] = [60, 8];
  const a = conceptor(random(11, n, d), 10);
  const b = conceptor(random(12, n, d, 0.05), 10);
  const eigenvalues = (c: Matrix): Float64Array => symmetricEigen(c).values;

  it('have eigenvalues in [0, 1], as have AND, OR and NOT', () => {
    for (const c of [a, b, andConceptors(a, b), orConceptors(a, b), notConceptor(a)]) {
      for (const value of eigenvalues(c)) {
        expect(value).toBeGreaterThanOrEqual(-1e-12);
        expect(value).toBeLessThanOrEqual(1 + 1e-12);
      }
    }
  });

  it('equal R (R + a^-2 I)^-1 computed by solving', () => {
    const x = random(11, n, d);
    const r = multiply(transpose(x), x);
    const correlation = { ...r, values: r.values.map((value) => value / n) };
    const system = combine(correlation, identity(d), 0.01);
    for (let j = 0; j < d; j += 1) {
      const column = solveSpd(system, rowOf(correlation, j));
      for (const [i, value] of column.entries())
        expect(value).toBeCloseTo(a.values[i * d + j]!, 12);
    }
  });

  it('AND is below both, OR above both, and de Morgan holds', () => {
    const [both, either] = [andConceptors(a, b), orConceptors(a, b)];
    const trace = (c: Matrix): number => eigenvalues(c).reduce((sum, value) => sum + value, 0);
    expect(trace(both)).toBeLessThan(Math.min(trace(a), trace(b)));
    expect(trace(either)).toBeGreaterThan(Math.max(trace(a), trace(b)));
    const left = notConceptor(either);
    const right = andConceptors(notConceptor(a), notConceptor(b));
    for (const [i, value] of left.values.entries()) expect(value).toBeCloseTo(right.values[i]!, 10);
  });

  it('AND of a conceptor with itself is as published: C (2I - C)^-1', () => {
    const same = andConceptors(a, a);
    eigenvalues(same).forEach((value, i) => {
      const c = eigenvalues(a)[i]!;
      expect(value).toBeCloseTo(c / (2 - c), 10);
    });
  });
});

describe('eigenvalues and solves', () => {
  it('reproduce the matrix and the right-hand side', () => {
    const x = random(21, 30, 12);
    const matrix = multiply(transpose(x), x);
    const { values, vectors } = symmetricEigen(matrix);
    for (let k = 0; k < 12; k += 1) {
      const image = multiply(
        matrix,
        transpose({ rows: 1, width: 12, values: rowOf(vectors, k).slice() }),
      );
      image.values.forEach((value, i) => {
        expect(value).toBeCloseTo(values[k]! * vectors.values[k * 12 + i]!, 9);
      });
      if (k > 0) expect(values[k]!).toBeLessThanOrEqual(values[k - 1]!);
    }
    const b = random(22, 1, 12).values;
    const solved = solveSpd(matrix, b);
    multiply(matrix, transpose({ rows: 1, width: 12, values: solved })).values.forEach(
      (value, i) => {
        expect(value).toBeCloseTo(b[i]!, 9);
      },
    );
    expect(() => solveSpd({ rows: 1, width: 1, values: Float64Array.of(-1) }, [1])).toThrow(
      /singular/,
    );
  });

  it('a probe separates what a line can and is at the optimum of its loss', () => {
    const x = random(31, 80, 5);
    const labels = Array.from(
      { length: 80 },
      (_, i) => x.values[i * 5]! + 0.3 * x.values[i * 5 + 1]! > 0.1,
    );
    const probe = fitProbe(x, labels);
    expect(probeAccuracy(probe, x, labels)).toBeGreaterThan(0.95);
    const loss = ({ weight, bias }: typeof probe): number => {
      let sum = dot(weight, weight) / 2;
      for (let i = 0; i < 80; i += 1) {
        const z = dot(rowOf(x, i), weight) + bias;
        sum += Math.log1p(Math.exp(labels[i] ? -z : z));
      }
      return sum;
    };
    for (let i = 0; i < 5; i += 1) {
      for (const step of [-1e-4, 1e-4]) {
        const weight = probe.weight.slice();
        weight[i]! += step;
        expect(loss({ weight, bias: probe.bias })).toBeGreaterThan(loss(probe));
      }
    }
    expect(loss({ ...probe, bias: probe.bias + 1e-4 })).toBeGreaterThan(loss(probe));
  });
});
