import { useBackend } from '@safeinfer/backend';
import type { Transformer } from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type GoldenModelName,
  goldenJson,
  goldenTensors,
  loadGoldenModel,
  relativeError,
} from '../../test/golden-model.ts';
import { fineTune } from './fine-tune.ts';

interface FineTuneGolden {
  readonly layer: number;
  readonly request: { readonly prompt: string; readonly subject: string; readonly target: string };
  readonly runs: Readonly<
    Record<
      string,
      {
        readonly steps: number;
        readonly lr: number;
        readonly epsilon: number;
        readonly stop_loss: number;
        readonly losses: readonly number[];
        readonly clamped_fraction: number;
      }
    >
  >;
}

describe.each<GoldenModelName>(['gpt2', 'llama'])('fine-tuning of tiny %s', (name) => {
  let model: Transformer;
  const golden = goldenJson<FineTuneGolden>(name, 'fine-tune');
  beforeAll(async () => {
    await useBackend({ name: 'ort', threads: 1 });
    model = await loadGoldenModel(name);
  });
  afterAll(() => model.dispose());

  it.each([
    ['ft-l', 'promptLast'],
    ['ft-m', 'target'],
  ] as const)('%s equals the float64 golden', async (run, objective) => {
    const { steps, lr, epsilon, stop_loss, losses, clamped_fraction } = golden.runs[run]!;
    const { prompt, subject, target } = golden.request;
    const before = tf.memory().numTensors;
    const edit = await fineTune({
      model,
      request: { prompt, subject, targetNew: target },
      layer: golden.layer,
      objective,
      steps,
      learningRate: lr,
      epsilon,
      stopLoss: stop_loss,
    });
    expect(tf.memory().numTensors).toBe(before);
    expect(edit.losses).toHaveLength(losses.length);
    edit.losses.forEach((loss, i) => {
      expect(loss).toBeCloseTo(losses[i]!, 3);
    });
    const expected = await goldenTensors(name, 'fine-tune')(`${run}/delta`);
    expect(relativeError(edit.delta.dense, expected)).toBeLessThan(1e-4);
    expect(edit.clampedFraction).toBeCloseTo(clamped_fraction, 3);
    expect(Math.max(...edit.delta.dense.map(Math.abs))).toBeLessThanOrEqual(epsilon);
  });
});
