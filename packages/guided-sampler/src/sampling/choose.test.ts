// Keyed sampling: exact distribution, pruning that changes nothing, early decisions that are never wrong.
import { describe, expect, it } from 'vitest';
import { decidedToken, gumbel, sampleToken } from './choose.ts';
import { randomKey, rowKey, uniform } from './random.ts';

const scores = Float32Array.from([1, 0, -1, 2, Number.NEGATIVE_INFINITY, -3, 0.5, -0.5]);

describe('sampleToken', () => {
  it('draws from softmax(scores): chi-square over 100,000 keys', () => {
    const draws = 100_000;
    const counts = new Float64Array(scores.length);
    for (let i = 0; i < draws; i++) {
      const token = sampleToken(scores, randomKey(11, i % 97, Math.floor(i / 97)));
      counts[token] = (counts[token] as number) + 1;
    }
    const total = scores.reduce((t, v) => t + Math.exp(v), 0);
    let chi = 0;
    scores.forEach((v, i) => {
      const expected = (draws * Math.exp(v)) / total;
      if (expected === 0) expect(counts[i]).toBe(0);
      else chi += ((counts[i] as number) - expected) ** 2 / expected;
    });
    // 99.9th percentile of chi-square with 6 degrees of freedom.
    expect(chi).toBeLessThan(22.46);
  });

  it('finds the same winner as noise on every token', () => {
    const wide = Float32Array.from({ length: 3000 }, (_, i) => 6 * Math.sin(i * 1.7) - (i % 7));
    for (let position = 0; position < 300; position++) {
      const key = randomKey(5, 1, position);
      let best = 0;
      wide.forEach((v, i) => {
        if (v + gumbel(key, i) > (wide[best] as number) + gumbel(key, best)) best = i;
      });
      expect(sampleToken(wide, key)).toBe(best);
    }
  });

  it('has no support, no token', () => {
    expect(
      sampleToken(new Float32Array(3).fill(Number.NEGATIVE_INFINITY), randomKey(1, 1, 1)),
    ).toBe(-1);
  });
});

describe('decidedToken', () => {
  it.each([undefined, 1, 0.7])(
    'never differs from the full choice (temperature %s)',
    (temperature) => {
      let decided = 0;
      for (let position = 0; position < 2000; position++) {
        const base = Float64Array.from(
          { length: 50 },
          (_, i) => 8 * uniform(randomKey(1, 2, position), i) * (i % 5 === 0 ? 2 : 1),
        );
        const loss = Float64Array.from(
          { length: 50 },
          (_, i) => 3 * uniform(randomKey(2, 2, position), i),
        );
        const key = temperature === undefined ? undefined : randomKey(9, 9, position);
        const low = base.map((v, i) => v - (loss[i] as number));
        const token = decidedToken({ low, high: base }, key, temperature ?? 1);
        if (token < 0) continue;
        decided++;
        for (let trial = 0; trial < 8; trial++) {
          const real = base.map(
            (v, i) =>
              (v - (loss[i] as number) * uniform(randomKey(3, trial, position), i)) /
              (temperature ?? 1),
          );
          const full = key === undefined ? real.indexOf(Math.max(...real)) : sampleToken(real, key);
          expect(full).toBe(token);
        }
      }
      expect(decided).toBeGreaterThan(100);
    },
  );
});

describe('keys', () => {
  it('depend on prompt and copy, not on order', () => {
    expect(rowKey([1, 2, 3], 0)).toBe(rowKey([1, 2, 3], 0));
    const keys = [
      rowKey([1, 2, 3], 0),
      rowKey([1, 2, 3], 1),
      rowKey([3, 2, 1], 0),
      rowKey([1, 2], 0),
    ];
    expect(new Set(keys).size).toBe(4);
  });

  it('give uniform bits across positions, rows and tokens', () => {
    let sum = 0;
    let product = 0;
    const n = 20_000;
    for (let i = 0; i < n; i++) {
      const [a, b] = [uniform(randomKey(3, 7, i), 0), uniform(randomKey(3, 7, i), 1)];
      sum += a;
      product += (a - 0.5) * (b - 0.5);
    }
    expect(Math.abs(sum / n - 0.5)).toBeLessThan(0.01);
    expect(Math.abs(product / n)).toBeLessThan(0.002);
  });
});
