import { useBackend } from '@safeinfer/backend';
import { createRandomModel, type Transformer } from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { randomVector } from '../../test/random-vector.ts';
import type { AddOperation } from '../plan/operation.ts';
import { bootstrapMean, mcNemar, wilson } from '../report/statistics.ts';
import { calibrateKl } from './calibrate-kl.ts';
import { klDivergence, quantile } from './distribution.ts';
import { steeredRollouts } from './steered-rollout.ts';
import { rawStrength } from './strength-units.ts';
import { sweep } from './sweep.ts';

const operation: AddOperation = { op: 'add', layer: 0, vector: randomVector(1, 16) };
const rows = [{ tokens: [1, 2, 3] }, { tokens: [9, 30] }];
let model: Transformer;
beforeAll(async () => {
  await useBackend({ name: 'cpu' });
  model = createRandomModel({
    config: { nLayers: 2, nHeads: 2, dModel: 16, vocabSize: 48 },
    seed: 4,
  });
});
afterAll(() => model.dispose());

describe('units', () => {
  it('measure what they say', async () => {
    const rows = [{ tokens: [1, 2, 3, 17, 22, 40, 5, 13, 8] }, { tokens: [9, 30, 11, 44] }];
    const tokens: number[][] = [];
    for (const row of rows) {
      using run = model.forward([row], { capture: ['blocks.0.hook_resid_post'], logits: 'none' });
      tokens.push(...((await run.captured(0, 'blocks.0.hook_resid_post').array()) as number[][]));
    }
    const { vector } = operation;
    const length = Math.hypot(...vector);
    const along = tokens.map((h) => h.reduce((sum, x, i) => sum + x * vector[i]!, 0) / length);
    const mean = along.reduce((sum, x) => sum + x, 0) / along.length;
    const expected = {
      raw: 2 * length,
      residual: (2 * tokens.reduce((sum, h) => sum + Math.hypot(...h), 0)) / tokens.length,
      sigma: 2 * Math.sqrt(along.reduce((sum, x) => sum + (x - mean) ** 2, 0) / along.length),
      'max-activation': 2 * Math.max(...along),
    };
    for (const unit of ['raw', 'residual', 'sigma', 'max-activation'] as const) {
      const raw = await rawStrength({ model, operation, unit, value: 2, rows });
      expect(raw * length).toBeCloseTo(expected[unit], 4);
    }
  });
});

describe('a unit that is nothing here', () => {
  it('is refused: no token shows the concept', async () => {
    await expect(
      rawStrength({ model, operation, unit: 'max-activation', value: 1, rows }),
    ).rejects.toMatchObject({ code: 'BAD_DATASET' });
  });
});

describe('KL calibration', () => {
  it('hits its target, whatever the length of the vector', async () => {
    const before = tf.memory().numTensors;
    const lengths: number[] = [];
    for (const scale of [1, 3]) {
      const vector = operation.vector.map((x) => x * scale);
      const plan = { operations: [{ ...operation, vector, positions: 'last' as const }] };
      const { factor, p95, curve } = await calibrateKl({
        model,
        plan,
        rows,
        target: 0.5,
        maxNewTokens: 4,
      });
      expect(Math.abs(Math.log(p95 / 0.5))).toBeLessThan(0.3);
      expect(curve.length).toBeLessThanOrEqual(14);
      lengths.push(factor * scale);
    }
    expect(lengths[0]! / lengths[1]!).toBeCloseTo(1, 0);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('refuses what cannot be reached', async () => {
    const plan = { operations: [{ ...operation, vector: operation.vector.map((x) => x * 1e-6) }] };
    await expect(calibrateKl({ model, plan, rows, maxNewTokens: 2 })).rejects.toThrow(
      /out of reach/,
    );
    await expect(calibrateKl({ model, plan, rows: [] })).rejects.toMatchObject({
      code: 'BAD_DATASET',
    });
  });

  it('is zero without steering', async () => {
    const [rollout] = await steeredRollouts({
      model,
      plan: { operations: [] },
      rows,
      maxNewTokens: 3,
    });
    expect(rollout!.tokens).toHaveLength(3);
    for (const kl of rollout!.kl) expect(kl).toBeLessThan(1e-9);
  });

  it('is KL in nats, and quantiles are as in NumPy', () => {
    const [p, q] = [
      [0.5, 0.5],
      [0.9, 0.1],
    ].map((d) => d.map(Math.log));
    expect(klDivergence(p!, q!)).toBeCloseTo(0.5 * Math.log(0.5 / 0.9) + 0.5 * Math.log(5), 12);
    expect(quantile([1, 2, 3, 4], 0.95)).toBeCloseTo(3.85, 12);
  });
});

describe('a sweep', () => {
  const item = (id: string) => ({ id });
  const options = {
    layers: [0, 1],
    strengths: [0.5, 1],
    select: [item('a')],
    test: [item('b')],
    plan: ({ layer, strength }: { layer: number; strength: number }) => ({
      operations: [{ ...operation, layer, strength }],
    }),
    score: async (
      plan: { operations: readonly { layer: number; strength?: number }[] },
      items: readonly { id: string }[],
    ) => plan.operations[0]!.layer + (items[0]!.id === 'b' ? 10 : 0),
  };

  it('chooses on one split and reports the other', async () => {
    const outcome = await sweep(options);
    expect(outcome).toMatchObject({
      best: { layer: 1, strength: 0.5, score: 1 },
      test: 11,
      tried: 4,
    });
  });

  it('refuses items that do both', async () => {
    await expect(sweep({ ...options, test: [item('a')] })).rejects.toMatchObject({
      code: 'BAD_DATASET',
    });
    await expect(sweep({ ...options, test: [] })).rejects.toMatchObject({ code: 'BAD_DATASET' });
  });
});

describe('statistics', () => {
  it('agree with published values', () => {
    // Wilson 1927 for 7 of 20 as SciPy's proportion_ci gives it; McNemar of 2 against 10 discordant pairs.
    const interval = wilson(7, 20);
    expect(interval.low).toBeCloseTo(0.1812, 3);
    expect(interval.high).toBeCloseTo(0.5671, 3);
    const before = [...Array(10).fill(false), ...Array(2).fill(true), true];
    const after = [...Array(10).fill(true), ...Array(2).fill(false), true];
    expect(mcNemar(before, after)).toBeCloseTo(0.03857, 4);
    expect(mcNemar([true], [true])).toBe(1);
    const { value, low, high } = bootstrapMean([1, 2, 3, 4, 5], 1);
    expect(value).toBe(3);
    expect(low).toBeGreaterThan(1.4);
    expect(high).toBeLessThan(4.6);
    expect(low).toBeLessThan(2.4);
  });
});
