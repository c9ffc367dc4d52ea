// A run that was stopped and started again ends in the bits of one that was not.
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { useBackend } from '@safeinfer/backend';
import { describeOnBackends } from '@safeinfer/backend/testing';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type TrainProgress, train } from '../src/index.ts';
import { adapterValues, sequences, tinyLora, tinyModel } from './tiny-run.ts';

let directory = '';

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'finetune-'));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

await describeOnBackends('checkpoints', () => {
  it('resume bit-exactly after an abort, history and evaluations included', async () => {
    using model = tinyModel();
    const before = tf.memory().numTensors;
    const evaluate = { data: sequences(5), everySteps: 3 };
    const whole = await train({ ...tinyLora(model), evaluate });
    const stop = new AbortController();
    const run = { ...tinyLora(model), evaluate, checkpoint: { directory, everySteps: 2 } };
    const aborted = train({
      ...run,
      signal: stop.signal,
      onProgress: (progress) => {
        if (progress.kind === 'step' && progress.step === 5) stop.abort();
      },
    });
    await expect(aborted).rejects.toMatchObject({ code: 'ABORTED' });
    expect(tf.memory().numTensors).toBe(before + 2 * whole.adapter.factors.length);
    const events: TrainProgress[] = [];
    const rest = await train({ ...run, onProgress: (event) => events.push(event) });
    expect(rest.resumedAt).toBe(5);
    expect(events[0]).toEqual({ kind: 'resumed', step: 5, steps: 8 });
    expect(events.filter(({ kind }) => kind === 'step')).toHaveLength(3);
    expect(adapterValues(rest)).toEqual(adapterValues(whole));
    const { adapter: _a, resumedAt: _b, ...record } = rest;
    expect(record).toEqual({
      steps: whole.steps,
      tokens: whole.tokens,
      loss: whole.loss,
      gradientNorm: whole.gradientNorm,
      evaluations: whole.evaluations,
    });
    // A finished run only reads its result.
    const again = await train(run);
    expect(again.resumedAt).toBe(8);
    expect(adapterValues(again)).toEqual(adapterValues(whole));
    for (const { adapter } of [whole, rest, again]) adapter.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('checkpoints and files', () => {
  beforeAll(async () => {
    await useBackend({ name: 'cpu' });
  });

  it('refuses a checkpoint of another run, naming what differs, and leaves it alone', async () => {
    using model = tinyModel();
    const checkpoint = { directory, everySteps: 4 };
    const first = await train({ ...tinyLora(model), checkpoint });
    first.adapter.dispose();
    const bytes = await readFile(join(directory, 'checkpoint.safetensors'));
    const before = tf.memory().numTensors;
    await expect(train({ ...tinyLora(model), checkpoint, seed: 8 })).rejects.toMatchObject({
      code: 'BAD_CONFIG',
      message: expect.stringContaining('seed'),
    });
    using other = tinyModel(4);
    await expect(train({ ...tinyLora(other), checkpoint })).rejects.toThrow(/weights differ/);
    const data = sequences(15);
    await expect(train({ ...tinyLora(model), data, checkpoint })).rejects.toThrow(/data/);
    expect(await readFile(join(directory, 'checkpoint.safetensors'))).toEqual(bytes);
    // `resume: false` says that the old one may go.
    const anew = await train({
      ...tinyLora(model),
      seed: 8,
      checkpoint: { ...checkpoint, resume: false },
    });
    expect(anew.resumedAt).toBeNull();
    anew.adapter.dispose();
    other.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('refuses a damaged checkpoint', async () => {
    using model = tinyModel();
    await writeFile(join(directory, 'checkpoint.safetensors'), 'not tensors at all');
    const run = train({ ...tinyLora(model), checkpoint: { directory, everySteps: 4 } });
    await expect(run).rejects.toMatchObject({ code: 'BAD_FILE' });
  });

  const prlimit = spawnSync('prlimit', ['--version']).status === 0;

  // The kernel fails writes of this process beyond the limit half-way, as a full disk does; root or not.
  it.runIf(prlimit)(
    'a full disk stops the run with IO and loses nothing (needs prlimit)',
    async () => {
      using model = tinyModel();
      const whole = await train(tinyLora(model));
      const before = tf.memory().numTensors;
      const checkpoint = { directory, everySteps: 2 };
      const path = join(directory, 'checkpoint.safetensors');
      const limitFiles = (bytes: string): void => {
        execFileSync('prlimit', ['--pid', String(process.pid), `--fsize=${bytes}:unlimited`]);
      };
      let written = new Uint8Array();
      const failing = train({
        ...tinyLora(model),
        checkpoint,
        onProgress: (progress) => {
          if (progress.kind !== 'step' || progress.step !== 5) return;
          written = readFileSync(path);
          limitFiles('4096');
        },
      });
      try {
        await expect(failing).rejects.toMatchObject({
          code: 'IO',
          message: expect.stringMatching(/EFBIG/),
        });
      } finally {
        limitFiles('unlimited');
      }
      // The checkpoint of step 4 is whole, and no half-written file lies beside it.
      expect(await readdir(directory)).toEqual(['checkpoint.safetensors']);
      expect(await readFile(path)).toEqual(written);
      expect(tf.memory().numTensors).toBe(before);
      const rest = await train({ ...tinyLora(model), checkpoint });
      expect(rest.resumedAt).toBe(4);
      expect(adapterValues(rest)).toEqual(adapterValues(whole));
      rest.adapter.dispose();
      whole.adapter.dispose();
    },
  );

  it('a directory that cannot be made is an IO error', async () => {
    using model = tinyModel();
    const before = tf.memory().numTensors;
    const path = join(directory, 'file');
    await writeFile(path, '');
    const run = train({ ...tinyLora(model), checkpoint: { directory: path, everySteps: 2 } });
    await expect(run).rejects.toMatchObject({ code: 'IO' });
    expect(tf.memory().numTensors).toBe(before);
  });
});
