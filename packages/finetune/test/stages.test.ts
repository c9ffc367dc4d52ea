// A training in stages: another schedule or other data on the parameters and moments of an earlier one, and its mean.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { useBackend } from '@safeinfer/backend';
import { describeOnBackends } from '@safeinfer/backend/testing';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { train } from '../src/index.ts';
import { adapterValues, sequences, tinyLora, tinyModel } from './tiny-run.ts';

let directory = '';

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'finetune-'));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

const at = (name: string) => ({ directory: join(directory, name), everySteps: 3 });

await describeOnBackends('stages', () => {
  it('of one schedule end in the bits of a single run, its mean included', async () => {
    using model = tinyModel();
    const run = { ...tinyLora(model), average: 0.9 };
    const before = tf.memory().numTensors;
    const whole = await train(run);
    const first = await train({ ...run, until: 5, checkpoint: at('one') });
    expect(first.steps).toBe(5);
    expect(first.loss).toEqual(whole.loss.slice(0, 5));
    const second = await train({
      ...run,
      checkpoint: { ...at('two'), continueFrom: at('one').directory },
    });
    expect(second.resumedAt).toBe(5);
    expect(second.loss).toEqual(whole.loss);
    expect(adapterValues(second)).toEqual(adapterValues(whole));
    for (const { adapter } of [whole, first, second]) adapter.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('a second stage', () => {
  beforeAll(async () => {
    await useBackend({ name: 'cpu' });
  });

  it('may have other data and another schedule, and resumes as any run', async () => {
    using model = tinyModel();
    const run = tinyLora(model);
    (await train({ ...run, until: 4, checkpoint: at('one') })).adapter.dispose();
    const later = {
      ...run,
      data: sequences(9),
      schedule: { kind: 'linear', decayFrom: 6 },
      steps: 10,
    } as const;
    const from = at('one').directory;
    const whole = await train({ ...later, checkpoint: { ...at('whole'), continueFrom: from } });
    const stop = new AbortController();
    const parts = { ...later, checkpoint: { ...at('parts'), continueFrom: from } };
    const aborted = train({
      ...parts,
      signal: stop.signal,
      onProgress: (event) => {
        if (event.kind === 'step' && event.step === 7) stop.abort();
      },
    });
    await expect(aborted).rejects.toMatchObject({ code: 'ABORTED' });
    const rest = await train(parts);
    expect(rest.resumedAt).toBe(7);
    expect(rest.loss).toHaveLength(10);
    expect(adapterValues(rest)).toEqual(adapterValues(whole));
    for (const { adapter } of [whole, rest]) adapter.dispose();
  });

  it('is refused without an earlier one, or after one of other parameters', async () => {
    using model = tinyModel();
    const run = tinyLora(model);
    const later = { ...run, checkpoint: { ...at('two'), continueFrom: at('one').directory } };
    await expect(train(later)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const other = { ...run.method, rank: 3 };
    (await train({ ...run, method: other, checkpoint: at('one') })).adapter.dispose();
    const before = tf.memory().numTensors;
    await expect(train(later)).rejects.toMatchObject({
      code: 'BAD_CONFIG',
      message: expect.stringContaining('parameters'),
    });
    expect(tf.memory().numTensors).toBe(before);
  });

  it('can begin or drop a mean', async () => {
    using model = tinyModel();
    const run = tinyLora(model);
    const before = tf.memory().numTensors;
    (await train({ ...run, until: 4, average: 0.9, checkpoint: at('one') })).adapter.dispose();
    const second = { ...at('two'), continueFrom: at('one').directory };
    const plain = await train({ ...run, until: 6, checkpoint: second });
    const third = { ...at('three'), continueFrom: at('two').directory };
    const averaged = await train({ ...run, average: 0.9, checkpoint: third });
    const last = await train(run);
    expect(plain.loss).toEqual(last.loss.slice(0, 6));
    expect(averaged.loss).toEqual(last.loss);
    expect(adapterValues(averaged)).not.toEqual(adapterValues(last));
    for (const { adapter } of [plain, averaged, last]) adapter.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('the mean', () => {
  it('is the one of the formula over the parameters of every step', async () => {
    await useBackend({ name: 'cpu' });
    using model = tinyModel();
    const run = tinyLora(model);
    const steps: number[][] = [];
    for (let until = 1; until <= 4; until++) {
      const found = await train({ ...run, until });
      steps.push(adapterValues(found));
      found.adapter.dispose();
    }
    // A starts as the adapter's first value: the mean of no step. Rate 0 leaves parameters where they start.
    const still = await train({ ...run, optimiser: { learningRate: 0 }, until: 1 });
    let mean = adapterValues(still);
    steps.forEach((values, i) => {
      const kept = Math.min(0.3, (i + 1) / (i + 11));
      mean = mean.map((x, j) => kept * x + (1 - kept) * (values[j] as number));
    });
    const found = await train({ ...run, until: 4, average: 0.3 });
    const largest = Math.max(...adapterValues(found).map((x, j) => Math.abs(x - mean[j]!)));
    expect(largest).toBeLessThan(1e-6);
    expect(Math.max(...steps[3]!.map((x, j) => Math.abs(x - mean[j]!)))).toBeGreaterThan(1e-4);
    for (const { adapter } of [still, found]) adapter.dispose();
  });

  it.each([{ average: 1 }, { average: 0 }, { until: 0 }, { until: 1.5 }])(
    'refuses %o',
    async (wrong) => {
      using model = tinyModel();
      await expect(train({ ...tinyLora(model), ...wrong })).rejects.toMatchObject({
        code: 'BAD_ARGUMENT',
      });
    },
  );
});
