// Every processor under speculation and lazy terms, batched: the tokens that plain decoding of one prompt gives.
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { term } from '../formula/expr.ts';
import { lma } from '../formula/lma-parser.ts';
import { compile, type Plan } from '../plan/plan.ts';
import type { SamplingOptions } from '../sampling/sampling-options.ts';
import { generate } from './generate.ts';
import { type TestModel, testModel, testPrompts } from './models.fixture.ts';

// Real forwards in plain JavaScript: minutes on a busy machine.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

let test: TestModel;
let plan: Plan;
beforeAll(async () => {
  await tf.setBackend('cpu');
  test = testModel({ vocabSize: 40, nLayers: 2, sharp: 1.5 });
  const { model } = test;
  const adapted = (adapter: string) => term(adapter, { model, adapter });
  plan = compile(
    lma('a + 0.3*other - 0.8*union(unsafe, a)', {
      a: term('a', { model }),
      other: adapted('other'),
      unsafe: adapted('unsafe'),
    }),
  );
});
afterAll(() => test[Symbol.dispose]());

const processors: Readonly<Record<string, SamplingOptions>> = {
  temperature: { temperature: 0.7 },
  topK: { topK: 3 },
  topP: { topP: 0.7 },
  minP: { minP: 0.1 },
  typicalP: { typicalP: 0.6 },
  epsilonCutoff: { epsilonCutoff: 0.05 },
  etaCutoff: { etaCutoff: 0.1 },
  topNSigma: { topNSigma: 0.7 },
  repetitionPenalty: { repetitionPenalty: 1.6 },
  presencePenalty: { presencePenalty: 1.5 },
  frequencyPenalty: { frequencyPenalty: 1.5 },
  penaltyWindow: { repetitionPenalty: 1.6, penaltyWindow: 3 },
  noRepeatNgram: { noRepeatNgram: 2 },
  dry: { dry: { multiplier: 6, allowedLength: 1 } },
  logitBias: { logitBias: { 3: 3, 17: 2, 30: 2 } },
  sequenceBias: {
    sequenceBias: [
      { tokens: [1], bias: 3 },
      { tokens: [1, 2], bias: 4 },
    ],
  },
  badWords: {
    badWords: Array.from({ length: 12 }, (_, i) => (i % 2 === 0 ? [3 * i] : [3 * i, i])),
  },
  suppressTokens: { suppressTokens: [0, 1, 2, 3, 4] },
  forcedPrefix: { forcedPrefix: [4, 4, 4] },
  minNewTokens: { minNewTokens: 6 },
};
/** What makes the processors' effect visible: most of these models' tokens end an answer early otherwise. */
const stopTokens = [9, 21, 33];

describe.each(['hf', 'llama.cpp'] as const)('%s order', (order) => {
  it.each(Object.keys(processors))('%s', async (name) => {
    const prompts = testPrompts(3, 40);
    const base = { plan, maxNewTokens: 12, seed: 9, stopTokens, attribution: 'none' as const };
    const sampling = { temperature: 1.2, ...processors[name], order };
    const alone: (readonly number[])[] = [];
    for (const prompt of prompts) {
      const { completions } = await generate({ ...base, prompts: [prompt], sampling, lazy: false });
      alone.push(completions[0]?.tokens ?? []);
    }
    const run = { ...base, prompts, sampling, batchSize: 3 };
    for (const options of [
      { speculate: 3 },
      { speculate: 3, lazy: true },
      { lazy: true },
    ] as const) {
      const { completions } = await generate({ ...run, ...options });
      expect(completions.map((c) => c.tokens)).toEqual(alone);
    }
    // Negative control: the processor did something.
    const without = await generate({ ...run, sampling: { temperature: 1.2, order } });
    expect(without.completions.map((c) => c.tokens)).not.toEqual(alone);
  });
});
