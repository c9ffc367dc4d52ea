// Beam search against Hugging Face's on the same weights (goldens by tools/parity/guided_goldens.py).
import '@tensorflow/tfjs-backend-cpu';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { loadModel, type Transformer } from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { plain } from '../recipes/baselines.ts';
import { safeInfer } from '../recipes/safe-infer.ts';
import { beamSearch } from './beam-search.ts';

// Real forwards in plain JavaScript: minutes on a busy machine.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

interface Case {
  readonly prompt: readonly number[];
  readonly prefix: readonly number[];
  readonly lambda: number;
  readonly beams: number;
  readonly stopTokens: readonly number[];
  readonly lengthPenalty: number;
  readonly earlyStopping: boolean | 'never';
  readonly maxNewTokens: number;
  readonly hypotheses: readonly { readonly tokens: readonly number[]; readonly score: number }[];
}
const { cases } = JSON.parse(
  readFileSync(new URL('../../fixtures/beam-search.json', import.meta.url), 'utf8'),
) as { readonly cases: readonly Case[] };

let model: Transformer;
beforeAll(async () => {
  await tf.setBackend('cpu');
  const fixture = new URL('../../../transformer/fixtures/llama', import.meta.url);
  model = await loadModel({ path: fileURLToPath(fixture) });
});
afterAll(() => model.dispose());

describe('beam search as in Hugging Face', () => {
  it.each(
    cases.map((c) => {
      const { beams, lengthPenalty, earlyStopping, lambda, prompt } = c;
      const how = `${beams} beams, penalty ${lengthPenalty}, early stopping ${earlyStopping}`;
      return [`${how}, lambda ${lambda}, prompt of ${prompt.length}`, c] as const;
    }),
  )('%s', async (_name, { prefix, lambda, hypotheses, ...options }) => {
    const plan =
      lambda === 0
        ? plain({ model })
        : safeInfer({ model, unsafe: { prompt: { prefix } }, lambda });
    const before = tf.memory().numTensors;
    const found = await beamSearch({ ...options, plan, ignoreEos: true });
    expect(tf.memory().numTensors).toBe(before);
    expect(found.map((h) => h.tokens)).toEqual(hypotheses.map((h) => h.tokens));
    found.forEach(({ score }, i) => {
      expect(score).toBeCloseTo(hypotheses[i]?.score as number, 4);
    });
  });

  it('negative control: the settings change what is found', () => {
    const found = cases.filter((c) => c.lambda === 0).map((c) => JSON.stringify(c.hypotheses[0]));
    expect(new Set(found).size).toBeGreaterThan(4);
  });
});
