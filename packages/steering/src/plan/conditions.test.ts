import { useBackend } from '@safeinfer/backend';
import { createRandomModel, type Row, type Transformer } from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { randomVector } from '../../test/random-vector.ts';
import { type Condition, type ConditionRule, conditionScore, fires } from './condition.ts';
import { decideConditions } from './decide-conditions.ts';
import { steerRows } from './steer-rows.ts';
import { composePlans, type SteeringPlan } from './steering-plan.ts';
import { toInterventions } from './to-interventions.ts';

const WIDTH = 16;
const rows: Row[] = [{ tokens: [1, 2, 3, 4] }, { tokens: [40, 9] }, { tokens: [7, 7, 30, 2, 1] }];
const vector = randomVector(1, WIDTH);

let model: Transformer;
beforeAll(async () => {
  await useBackend({ name: 'cpu' });
  model = createRandomModel({
    config: { nLayers: 2, nHeads: 2, dModel: WIDTH, vocabSize: 64 },
    seed: 4,
  });
});
afterAll(() => model.dispose());

function planWith(condition: Partial<Condition>): SteeringPlan {
  const whole: Condition = {
    score: 'cosine',
    vector: randomVector(2, WIDTH),
    layer: 0,
    fire: 'above',
    threshold: 0,
    ...condition,
  };
  return { operations: [{ op: 'add', layer: 1, vector, condition: whole }] };
}

async function activations(row: Row): Promise<number[][]> {
  using result = model.forward([row], { capture: ['blocks.0.hook_resid_post'], logits: 'none' });
  return (await result.captured(0, 'blocks.0.hook_resid_post').array()) as number[][];
}

describe('a condition frozen at the prompt', () => {
  it.each(['last', 'mean'] as const)('decides each row by its %s activation', async (pool) => {
    for (const score of ['cosine', 'projection', 'probe'] as const) {
      const plan = planWith({ score, pool });
      const condition = plan.operations[0]!.condition as Condition;
      const scores = await Promise.all(
        rows.map(async (row) => {
          const h = await activations(row);
          const pooled =
            pool === 'last'
              ? h.at(-1)!
              : h[0]!.map((_, i) => h.reduce((sum, line) => sum + line[i]!, 0) / h.length);
          return conditionScore(condition, pooled);
        }),
      );
      // A threshold between the scores, so that rows differ.
      const threshold = (Math.min(...scores) + Math.max(...scores)) / 2;
      for (const fire of ['above', 'below'] as const) {
        const decided = await decideConditions({
          model,
          plan: planWith({ score, pool, fire, threshold }),
          rows,
        });
        expect(decided.map(([own]) => own)).toEqual(
          scores.map((value) => (fire === 'above' ? value > threshold : value < threshold)),
        );
        expect(new Set(decided.map(([own]) => own)).size).toBe(2);
      }
    }
  });

  it('keeps the sign of a cosine', () => {
    const condition = planWith({}).operations[0]!.condition as Condition;
    const h = condition.vector;
    expect(conditionScore(condition, h)).toBeCloseTo(1, 6);
    expect(
      conditionScore(
        condition,
        h.map((x) => -x),
      ),
    ).toBeCloseTo(-1, 6);
  });

  it('agrees with the published tanh form on small activations, up to the sign it drops', () => {
    // cos(h, tanh(P h)) with P = c c' / c'c, in float64 (fact sheet 1.7 and 8).
    const c = randomVector(2, WIDTH);
    const h = randomVector(3, WIDTH);
    const condition = planWith({}).operations[0]!.condition as Condition;
    const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
      Array.from(a).reduce((sum, x, i) => sum + x * b[i]!, 0);
    const published = (scale: number): number => {
      const scaled = Array.from(h, (x) => x * scale);
      const share = dot(c, scaled) / dot(c, c);
      const projected = Array.from(c, (x) => Math.tanh(x * share));
      return dot(scaled, projected) / Math.sqrt(dot(scaled, scaled) * dot(projected, projected));
    };
    const ours = Math.abs(conditionScore({ ...condition, vector: c }, h));
    expect(Math.abs(published(1e-3) - ours)).toBeLessThan(1e-6);
    expect(Math.abs(published(10) - ours)).toBeGreaterThan(1e-4);
  });

  it('steers the rows it fires on and keeps every bit of the others', async () => {
    const before = tf.memory().numTensors;
    const decided = await decideConditions({ model, plan: planWith({}), rows });
    const steered = await steerRows({ model, plan: planWith({}), rows });
    steered.forEach(({ interventions }, i) => {
      expect(interventions).toHaveLength(decided[i]![0] ? 1 : 0);
    });
    expect(tf.memory().numTensors).toBe(before);
  });

  it('reads cached rows without extending their caches', async () => {
    using cache = model.createCache();
    model.forward([{ tokens: [1, 2, 3], cache }], { logits: 'none' }).dispose();
    const [cached] = await decideConditions({
      model,
      plan: planWith({}),
      rows: [{ tokens: [4], cache }],
    });
    const [whole] = await decideConditions({ model, plan: planWith({}), rows: [rows[0]!] });
    expect(cached).toEqual(whole);
    expect(cache.length).toBe(3);
    await expect(
      decideConditions({ model, plan: planWith({ pool: 'mean' }), rows: [{ tokens: [4], cache }] }),
    ).rejects.toMatchObject({ code: 'BAD_ARGUMENT' });
  });

  it('never fires on NaN: it throws', async () => {
    using broken = createRandomModel({
      config: { nLayers: 2, nHeads: 2, dModel: WIDTH, vocabSize: 64 },
      seed: 4,
    });
    broken.setWeight('embed.W_E', tf.fill([64, WIDTH], Number.NaN));
    await expect(
      decideConditions({ model: broken, plan: planWith({}), rows }),
    ).rejects.toMatchObject({ code: 'NON_FINITE' });
    expect(fires({ fire: 'above', threshold: 0 }, Number.NaN)).toBe(false);
    expect(fires({ fire: 'below', threshold: 0 }, Number.NaN)).toBe(false);
  });

  it('is needed before interventions are made', () => {
    expect(() => toInterventions(planWith({}))).toThrow(/frozen at the prompt/);
  });
});

describe('conditions joined', () => {
  // Two conditions whose truth on each row is known from the single ones.
  const on = (threshold: number, fire: 'above' | 'below' = 'above'): Condition => ({
    ...(planWith({ threshold, fire }).operations[0]!.condition as Condition),
  });
  const decide = async (condition: ConditionRule): Promise<boolean[]> => {
    const plan: SteeringPlan = { operations: [{ op: 'add', layer: 1, vector, condition }] };
    return (await decideConditions({ model, plan, rows })).map(([own]) => own!);
  };

  it('follow the truth table of and, or and their nesting', async () => {
    const scores = await Promise.all(
      rows.map(async (row) => conditionScore(on(0), (await activations(row)).at(-1)!)),
    );
    const middle = [...scores].sort((a, b) => a - b)[1]!;
    const [a, b] = [on(middle - 1e-4), on(middle + 1e-4, 'below')];
    const [va, vb] = [await decide(a), await decide(b)];
    expect(await decide({ all: [a, b] })).toEqual(va.map((x, i) => x && vb[i]!));
    expect(await decide({ any: [a, b] })).toEqual(va.map((x, i) => x || vb[i]!));
    expect(await decide({ any: [{ all: [a, b] }, on(9)] })).toEqual(va.map((x, i) => x && vb[i]!));
    // Only the row in the middle meets both; every row meets one.
    expect((await decide({ all: [a, b] })).filter(Boolean)).toHaveLength(1);
    expect((await decide({ any: [a, b] })).every(Boolean)).toBe(true);
  });

  it('refuse empty groups, mixtures, and NaN in any member', async () => {
    const token: Condition = { ...on(0), freeze: 'token', layer: 1 };
    for (const condition of [{ all: [] }, { any: [on(0), token] }, { all: [on(Number.NaN)] }]) {
      const plan: SteeringPlan = { operations: [{ op: 'add', layer: 1, vector, condition }] };
      await expect(steerRows({ model, plan, rows })).rejects.toMatchObject({
        code: 'BAD_ARGUMENT',
      });
    }
  });
});

describe('plans composed', () => {
  const [one, two] = [0, 1].map(
    (layer): SteeringPlan => ({ operations: [{ op: 'add', layer, vector }] }),
  ) as [SteeringPlan, SteeringPlan];
  const both: SteeringPlan = {
    operations: [...one.operations, ...two.operations],
    rows: [
      { row: 0, operation: 0, strength: 3 },
      { row: 0, operation: 1, strength: 5 },
    ],
  };

  it('act one after the other, or give way, or refuse, where they meet', () => {
    expect(composePlans([one, both]).operations).toHaveLength(3);
    const kept = composePlans([one, both], { conflict: 'priority' });
    expect(kept.operations.map(({ layer }) => layer)).toEqual([0, 1]);
    expect(kept.rows).toEqual([{ row: 0, operation: 1, strength: 5 }]);
    expect(() => composePlans([one, both], { conflict: 'error' })).toThrow(/layer 0/);
    expect(composePlans([one, two], { conflict: 'error' }).operations).toHaveLength(2);
  });
});

describe('plans that cannot be meant', () => {
  const add = { op: 'add', layer: 1, vector } as const;
  it.each<[string, SteeringPlan, string]>([
    ['a layer out of range', { operations: [{ ...add, layer: 2 }] }, 'BAD_ARGUMENT'],
    ['a negative layer', { operations: [{ ...add, layer: -1 }] }, 'BAD_ARGUMENT'],
    [
      'a vector of another width',
      { operations: [{ ...add, vector: new Float32Array(8).fill(1) }] },
      'WRONG_MODEL',
    ],
    [
      'NaN in a vector',
      { operations: [{ ...add, vector: new Float32Array(WIDTH).fill(Number.NaN) }] },
      'BAD_ARGUMENT',
    ],
    ['an infinite strength', { operations: [{ ...add, strength: Infinity }] }, 'BAD_ARGUMENT'],
    [
      'a zero direction',
      { operations: [{ ...add, op: 'ablate', vector: new Float32Array(WIDTH) }] },
      'BAD_ARGUMENT',
    ],
    ['a NaN threshold', planWith({ threshold: Number.NaN }), 'BAD_ARGUMENT'],
    ['a NaN condition', planWith({ vector: vector.map(() => Number.NaN) }), 'BAD_ARGUMENT'],
    ['a condition on no layer', planWith({ layer: 9 }), 'BAD_ARGUMENT'],
    ['a token condition read elsewhere', planWith({ freeze: 'token' }), 'BAD_ARGUMENT'],
    ['a head where there is none', { operations: [{ ...add, head: 0 }] }, 'BAD_ARGUMENT'],
    [
      'a plane of one direction',
      {
        operations: [
          { ...add, op: 'rotate', second: vector.map((x) => 2 * x), degrees: 10, mode: 'offset' },
        ],
      },
      'BAD_ARGUMENT',
    ],
    [
      'an override of a row that is not there',
      { operations: [add], rows: [{ row: 3, operation: 0, strength: 1 }] },
      'BAD_ARGUMENT',
    ],
    [
      'an empty window',
      { operations: [{ ...add, schedule: { kind: 'window', from: 3, to: 3 } }] },
      'BAD_ARGUMENT',
    ],
  ])('%s', async (_, plan, code) => {
    await expect(steerRows({ model, plan, rows })).rejects.toMatchObject({ code });
  });
});
