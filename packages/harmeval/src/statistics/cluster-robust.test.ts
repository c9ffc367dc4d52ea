import { describe, expect, it } from 'vitest';
import reference from '../../test/reference/statistics-reference.json' with { type: 'json' };
import { clusterRobustMean } from './cluster-robust.ts';

describe('clusterRobustMean', () => {
  it('equals statsmodels OLS with clustered covariance within 1e-9', () => {
    const { values, clusters, mean, standardError, low, high } = reference.cluster;
    const result = clusterRobustMean(values, clusters);
    expect(Math.abs(result.value - mean)).toBeLessThan(1e-9);
    expect(Math.abs(result.standardError - standardError)).toBeLessThan(1e-9);
    expect(Math.abs(result.low - low)).toBeLessThan(1e-6);
    expect(Math.abs(result.high - high)).toBeLessThan(1e-6);
  });

  it('finds the design effect of exact copies', () => {
    const values = Array.from({ length: 50 }, (_, i) => (i % 2 === 0 ? 1 : 0));
    const copies = values.flatMap((value) => [value, value, value]);
    const clusters = copies.map((_, i) => String(Math.floor(i / 3)));
    expect(clusterRobustMean(copies, clusters).designEffect).toBeCloseTo(3, 0);
    const single = copies.map((_, i) => String(i));
    expect(clusterRobustMean(copies, single).designEffect).toBeCloseTo(1, 10);
  });

  it('needs two clusters', () => {
    expect(() => clusterRobustMean([1, 0], ['a', 'a'])).toThrow(
      expect.objectContaining({ code: 'BAD_ARGUMENT' }),
    );
  });
});
