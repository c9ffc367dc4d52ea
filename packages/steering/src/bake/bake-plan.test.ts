import { useBackend } from '@safeinfer/backend';
import { createRandomModel, randomConfig, type Transformer } from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { randomVector } from '../../test/random-vector.ts';
import type { SteeringOperation } from '../plan/operation.ts';
import { steerRows } from '../plan/steer-rows.ts';
import type { SteeringPlan } from '../plan/steering-plan.ts';
import { ablateEverywhere, bakePlan } from './bake-plan.ts';

const WIDTH = 24;
const tokens = [5, 9, 33, 2, 50];
const vector = randomVector(1, WIDTH);
const sizes = { nLayers: 3, nHeads: 4, dModel: WIDTH, dHead: 8, vocabSize: 64, maxPositions: 16 };

beforeAll(() => useBackend({ name: 'cpu' }));

async function logits(model: Transformer, plan?: SteeringPlan): Promise<Float32Array> {
  const rows = [{ tokens }];
  using result = model.forward(plan ? await steerRows({ model, plan, rows }) : rows, {
    logits: 'all',
  });
  return (await result.logits(0).data()) as Float32Array;
}

function difference(a: Float32Array, b: Float32Array): number {
  return Math.max(...a.map((value, i) => Math.abs(value - b[i]!)));
}

describe.each(['llama', 'gpt2'] as const)('baked into a %s', (like) => {
  const plans: Record<string, (model: Transformer) => SteeringPlan> = {
    'directional ablation = weight orthogonalisation': ({ config }) =>
      ablateEverywhere(vector, config),
    'additions = biases': () => ({
      operations: [
        { op: 'add', layer: 1, vector, strength: 0.5 },
        { op: 'add', layer: 2, point: 'hook_resid_pre', vector, strength: -0.2 },
        { op: 'add', layer: 0, point: 'attn.hook_z', head: 3, vector: vector.slice(0, 8) },
      ],
    }),
  };
  it.each(Object.entries(plans))('%s', async (_, make) => {
    using model = createRandomModel({ config: { ...sizes, like }, seed: 8 });
    const plan = make(model);
    const before = tf.memory().numTensors;
    {
      using baked = await bakePlan(model, plan);
      const plain = await logits(model);
      expect(difference(await logits(baked), await logits(model, plan))).toBeLessThan(1e-5);
      expect(difference(await logits(baked), plain)).toBeGreaterThan(1e-2);
    }
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('what is refused', () => {
  const add = { op: 'add', layer: 1, vector } as const;
  const condition = { score: 'cosine', vector, layer: 0, fire: 'above', threshold: 0 } as const;
  it.each<[string, SteeringOperation]>([
    ['a condition', { ...add, condition }],
    ['a schedule', { ...add, schedule: { kind: 'linear', to: 0, over: 4 } }],
    ['chosen tokens', { ...add, positions: 'last' }],
    ['one phase', { ...add, during: 'generation' }],
    ['a kept norm', { ...add, norm: 'preserve' }],
    ['a cap', { op: 'cap', layer: 1, vector, max: 1 }],
    ['an ablation at one layer only', { op: 'ablate', layer: 1, vector }],
    ['an addition before the first block', { ...add, layer: 0, point: 'hook_resid_pre' }],
  ])('%s', async (_, operation) => {
    using model = createRandomModel({ config: sizes, seed: 8 });
    await expect(bakePlan(model, { operations: [operation] })).rejects.toMatchObject({
      code: 'UNSUPPORTED',
    });
  });

  it('models that normalise what their blocks write', async () => {
    const config = randomConfig(sizes);
    using model = createRandomModel({
      config: { ...config, block: { ...config.block, postNorm: true } },
      seed: 8,
    });
    await expect(bakePlan(model, { operations: [add] })).rejects.toMatchObject({
      code: 'UNSUPPORTED',
    });
  });
});
