import { useBackend } from '@safeinfer/backend';
import type { Transformer } from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { figure } from '../../test/figures.ts';
import {
  cosine,
  type GoldenModelName,
  goldenJson,
  goldenTensors,
  loadGoldenModel,
  relativeError,
} from '../../test/golden-model.ts';
import { scoreTargets } from '../evaluate/score-targets.ts';
import { prepareEdit } from '../request/prepare-edit.ts';
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
  ] as const)(
    'check 23: %s equals the float64 golden, no entry beyond epsilon',
    async (run, objective) => {
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
      const label = `${run.toUpperCase()}, tiny ${name}`;
      const error = relativeError(edit.delta.dense, expected);
      expect(figure(23, `${label}, relative`, error)).toBeLessThan(1e-4);
      const apart = 1 - cosine(edit.delta.dense, expected);
      expect(figure(23, `${label}, 1 - cosine`, apart)).toBeLessThan(1e-5);
      expect(edit.clampedFraction).toBeCloseTo(clamped_fraction, 3);
      const largest = Math.max(...edit.delta.dense.map(Math.abs));
      expect(largest).toBeLessThanOrEqual(epsilon);
      figure(23, 'largest change beyond epsilon', Math.max(0, largest - epsilon));
      // The control: unbounded, entries go beyond.
      const free = await fineTune({
        ...{ model, layer: golden.layer, objective, steps, learningRate: lr, stopLoss: stop_loss },
        request: { prompt, subject, targetNew: target },
      });
      const beyond = Math.max(...free.delta.dense.map(Math.abs)) / epsilon;
      expect(figure(23, 'largest change unbounded / epsilon', beyond, 'control')).toBeGreaterThan(
        1,
      );
      expect(free.clampedFraction).toBe(0);
    },
  );

  it("check 23: FT-M scores the target behind its own tokens only; FT-L all of it at the prompt's end", async () => {
    const { prompt, subject, target } = golden.request;
    const request = { prompt, subject, targetNew: target };
    const { contexts, target: ids } = prepareEdit({
      ...{ model, request, factToken: 'last', contextTemplates: ['{}'] },
    });
    expect(ids.length).toBeGreaterThan(1);
    const tokens = contexts[0]!.tokens;
    const first = async (objective: 'target' | 'promptLast'): Promise<number> => {
      const edit = await fineTune({ model, request, layer: golden.layer, objective, steps: 1 });
      return edit.losses[0]!;
    };
    const [whole] = await scoreTargets(model, [{ prompt: tokens, target: ids }]);
    expect(Math.abs((await first('target')) - whole!.nll)).toBeLessThan(1e-5);
    const apart = await scoreTargets(
      model,
      ids.map((id) => ({ prompt: tokens, target: [id] })),
    );
    const mean = apart.reduce((sum, { nll }) => sum + nll, 0) / ids.length;
    expect(Math.abs((await first('promptLast')) - mean)).toBeLessThan(1e-5);
    expect(Math.abs(mean - whole!.nll)).toBeGreaterThan(1e-2);
  });
});
