// Safety Arithmetic's turn against its formula in float64, and its effect on a model.
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { generate } from '../run/generate.ts';
import { testModel, testPrompts } from '../run/models.fixture.ts';
import { plain } from './baselines.ts';
import { awayFrom, safetyArithmetic } from './safety-arithmetic.ts';

beforeAll(() => tf.setBackend('cpu'));

const norm = (v: readonly number[]): number => Math.hypot(...v);

describe('Safety Arithmetic', () => {
  it('computes the released formula', () => {
    const rows = [
      [1, -2, 3, 0.5],
      [-1, 0.25, 2, -4],
      [0.1, 0.2, -0.3, 0.4],
    ];
    const v = [0.5, -1, 0.25, 2];
    const alpha = 1.7;
    const got = tf.tidy(() => awayFrom(tf.tensor2d(rows), tf.tensor1d(v), alpha).arraySync());
    rows.forEach((x, r) => {
      const [lx, lv] = [norm(x), norm(v)];
      const cos = x.reduce((t, xi, i) => t + xi * (v[i] as number), 0) / (lx * lv);
      const turned = x.map(
        (xi, i) => xi / lx - 0.1 * alpha * (1 + Math.max(0, cos)) * ((v[i] as number) / lv),
      );
      turned.forEach((t, i) => {
        expect(got[r]?.[i]).toBeCloseTo((t / norm(turned)) * lx, 5);
      });
      expect(norm(got[r] as number[])).toBeCloseTo(lx, 5);
    });
  });

  it('changes what the model says and leaves no tensors', async () => {
    using test = testModel();
    const before = tf.memory().numTensors;
    const directions = new Map(
      [0, 1, 2].map((l) => [l, Float32Array.from({ length: 32 }, (_, i) => Math.sin(i + l))]),
    );
    const run = { prompts: testPrompts(3), maxNewTokens: 8 };
    const base = await generate({ ...run, plan: plain({ model: test.model }) });
    const same = await generate({
      ...run,
      plan: safetyArithmetic({ model: test.model, directions, alpha: 0 }),
    });
    const turned = await generate({
      ...run,
      plan: safetyArithmetic({ model: test.model, directions, alpha: 8 }),
    });
    const tokens = (r: typeof base): unknown => r.completions.map((c) => c.tokens);
    expect(tokens(same)).toEqual(tokens(base));
    expect(tokens(turned)).not.toEqual(tokens(base));
    expect(tf.memory().numTensors).toBe(before);
  });
});
