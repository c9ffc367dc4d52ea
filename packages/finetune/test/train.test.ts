// What a run refuses, where it stops, and that it learns and leaks nothing.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { useBackend } from '@safeinfer/backend';
import type { WeightName } from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { evaluateLoss, type StepProgress, type TrainProgress, train } from '../src/index.ts';
import { adapterValues, sequences, tinyLora, tinyModel } from './tiny-run.ts';

beforeAll(async () => {
  await useBackend({ name: 'cpu' });
});

describe('a run', () => {
  it('learns: the loss of the adapter falls far below the base model', async () => {
    using model = tinyModel();
    const data = sequences(14);
    const start = await evaluateLoss({ model, data });
    const { adapter, ...record } = await train({
      ...tinyLora(model),
      method: { kind: 'lora', rank: 8, alpha: 16, targets: 'all-linear' },
      optimiser: { learningRate: 0.02 },
      steps: 60,
    });
    model.addAdapter('trained', adapter);
    expect(start).toBeGreaterThan(4);
    expect(await evaluateLoss({ model, data, adapter: 'trained' })).toBeLessThan(start / 3);
    expect(await evaluateLoss({ model, data })).toBe(start); // the model itself is untouched
    expect(record.loss).toHaveLength(60);
    adapter.dispose();
  });

  it('depends on the seed, and on nothing else', async () => {
    using model = tinyModel();
    const values = async (seed: number): Promise<number[]> => {
      const found = await train({ ...tinyLora(model), seed });
      const numbers = adapterValues(found);
      found.adapter.dispose();
      return numbers;
    };
    const first = await values(7);
    expect(await values(7)).toEqual(first);
    expect(await values(8)).not.toEqual(first);
  });

  it('reports every step with rate and time left', async () => {
    using model = tinyModel();
    const events: TrainProgress[] = [];
    const { adapter } = await train({ ...tinyLora(model), onProgress: (e) => events.push(e) });
    adapter.dispose();
    const steps = events.filter((event): event is StepProgress => event.kind === 'step');
    expect(steps.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(steps.map(({ learningRate }) => learningRate).slice(0, 2)).toEqual([0.005, 0.01]);
    expect(steps.at(-1)).toMatchObject({ secondsLeft: 0, steps: 8 });
    expect(steps[0]?.tokensPerSecond).toBeGreaterThan(0);
    expect(steps[0]?.secondsLeft).toBeGreaterThan(0);
  });

  it('keeps the number of tensors constant from step to step', async () => {
    using model = tinyModel();
    const counts = new Set<number>();
    const { adapter } = await train({
      ...tinyLora(model),
      onProgress: () => counts.add(tf.memory().numTensors),
    });
    adapter.dispose();
    expect(counts.size).toBe(1);
  });

  it('trains chosen weights alone and shares the others', async () => {
    using model = tinyModel();
    const before = tf.memory().numTensors;
    const chosen = (name: WeightName): boolean => name.includes('mlp.W_out');
    const { model: trained } = await train({
      ...tinyLora(model),
      method: { kind: 'full', weights: chosen },
    });
    for (const [name, tensor] of model.weights) {
      expect(trained.weights.get(name) === tensor, name).toBe(!chosen(name));
    }
    trained.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('drops inputs of the adapter in training only', async () => {
    using model = tinyModel();
    const run = tinyLora(model);
    const loss = async (dropout: number): Promise<number[]> => {
      const found = await train({
        ...run,
        method: { ...run.method, dropout } as typeof run.method,
      });
      found.adapter.dispose();
      return [...found.loss];
    };
    const [some, none] = [await loss(0.5), await loss(0)];
    expect(some[0]).toBe(none[0]); // B starts at zero
    expect(some[3]).not.toBe(none[3]);
  });
});

describe('a run that goes wrong', () => {
  it('stops at a loss that is not finite, naming step and examples, and keeps the checkpoint', async () => {
    using model = tinyModel();
    // One token's embedding is damaged; only the ninth example holds it.
    const embedding = model.weights.get('embed.W_E') as tf.Tensor2D;
    const damaged = embedding.dataSync().slice();
    damaged.fill(Number.NaN, 95 * 32);
    model.setWeight('embed.W_E', tf.tensor2d(damaged, [96, 32]));
    const data = sequences(14);
    data[9] = { id: 'the bad one', tokens: [1, 95, 4], weights: [0, 1, 1] };
    const before = tf.memory().numTensors;
    const directory = await mkdtemp(join(tmpdir(), 'finetune-'));
    try {
      const run = train({
        ...tinyLora(model),
        data,
        batch: { examples: 4, order: 'given' },
        checkpoint: { directory, everySteps: 1 },
      });
      await expect(run).rejects.toMatchObject({
        code: 'NON_FINITE',
        message: expect.stringMatching(/step 3 is not finite; its batch holds .*'the bad one'/),
        hint: expect.stringMatching(/the checkpoint of step 2 is kept in .*checkpoint/),
      });
    } finally {
      await rm(directory, { recursive: true });
    }
    expect(tf.memory().numTensors).toBe(before);
  });

  it('stops when the signal fires, before or in the middle', async () => {
    using model = tinyModel();
    const before = tf.memory().numTensors;
    const fired = AbortSignal.abort();
    await expect(train({ ...tinyLora(model), signal: fired })).rejects.toMatchObject({
      code: 'ABORTED',
    });
    const stop = new AbortController();
    setTimeout(() => {
      stop.abort();
    }, 5);
    await expect(
      train({ ...tinyLora(model), steps: 100_000, signal: stop.signal }),
    ).rejects.toMatchObject({ code: 'ABORTED' });
    expect(tf.memory().numTensors).toBe(before);
  });

  it('leaks nothing when a callback throws', async () => {
    using model = tinyModel();
    const before = tf.memory().numTensors;
    const run = train({
      ...tinyLora(model),
      onProgress: () => {
        throw new Error('from the callback');
      },
    });
    await expect(run).rejects.toThrow('from the callback');
    expect(tf.memory().numTensors).toBe(before);
  });

  it.each([
    ['no examples', { data: [] }, 'BAD_DATASET'],
    ['an empty completion', { data: [{ tokens: [1, 2], weights: [1, 0] }] }, 'BAD_DATASET'],
    ['weights of another length', { data: [{ tokens: [1, 2], weights: [1] }] }, 'BAD_DATASET'],
    ['a weight that is NaN', { data: [{ tokens: [1, 2], weights: [0, NaN] }] }, 'BAD_DATASET'],
    ['tokens of another model', { data: [{ tokens: [1, 96], weights: [0, 1] }] }, 'WRONG_MODEL'],
    [
      'an example longer than the context',
      { data: [{ tokens: new Array(257).fill(1), weights: new Array(257).fill(1) }] },
      'CONTEXT_OVERFLOW',
    ],
    ['no length', { steps: undefined }, 'BAD_ARGUMENT'],
    ['two lengths', { epochs: 1 }, 'BAD_ARGUMENT'],
    ['a batch of nothing', { batch: { examples: 0 } }, 'BAD_ARGUMENT'],
    ['a negative rate', { optimiser: { learningRate: -1 } }, 'BAD_ARGUMENT'],
    ['an unknown target', { method: { kind: 'lora', targets: ['w_proj'] } }, 'BAD_ARGUMENT'],
    ['dropout of everything', { method: { kind: 'lora', dropout: 1 } }, 'BAD_ARGUMENT'],
    ['rank zero', { method: { kind: 'lora', rank: 0 } }, 'BAD_ARGUMENT'],
    [
      'evaluation data of another model',
      { evaluate: { data: [{ tokens: [1, -1], weights: [0, 1] }], everySteps: 1 } },
      'WRONG_MODEL',
    ],
  ])('refuses %s before it starts', async (_, change, code) => {
    using model = tinyModel();
    const before = tf.memory().numTensors;
    const options = { ...tinyLora(model), ...change } as ReturnType<typeof tinyLora>;
    await expect(train(options)).rejects.toMatchObject({ code });
    expect(tf.memory().numTensors).toBe(before);
  });
});
