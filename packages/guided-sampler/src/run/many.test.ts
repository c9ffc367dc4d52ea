// Large counts: lazy terms over a thousand prompts, ten thousand aborted answers.
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { term } from '../formula/expr.ts';
import { compile, type Plan } from '../plan/plan.ts';
import { contrastiveFormula, dexpertsFormula, safeInferFormula } from '../recipes/formulas.ts';
import { generate, stream } from './generate.ts';
import { type TestModel, testModel, testPrompts } from './models.fixture.ts';

let test: TestModel;
beforeAll(async () => {
  await tf.setBackend('cpu');
  test = testModel({ vocabSize: 40, sharp: 6, seed: 8, nLayers: 2 });
});
afterAll(() => test[Symbol.dispose]());

function plans(): Record<string, Plan> {
  const base = () => term('base', { model: test.model });
  const adapted = (adapter: string) => term(adapter, { model: test.model, adapter });
  return {
    'SafeInfer 0.9': compile(safeInferFormula(base(), adapted('unsafe'), { lambda: 0.9 })),
    contrastive: compile(contrastiveFormula(base(), adapted('other'))),
    DExperts: compile(dexpertsFormula(base(), adapted('other'), adapted('unsafe'))),
  };
}

describe('lazy terms', () => {
  it('leave every token as it is over 1,000 prompts, and skip many forwards', async () => {
    const plan = plans()['SafeInfer 0.9'] as Plan;
    const prompts = testPrompts(1000, 40);
    const run = { plan, prompts, maxNewTokens: 5, batchSize: 100, attribution: 'none' as const };
    const off = await generate({ ...run, lazy: false });
    const on = await generate({ ...run, lazy: true });
    expect(on.completions.map((c) => c.tokens)).toEqual(off.completions.map((c) => c.tokens));
    const rate = (on.stats.terms['unsafe']?.skipped ?? 0) / on.stats.generated;
    console.log(`skip rate of the unsafe term over 1,000 prompts: ${(100 * rate).toFixed(1)} %`);
    expect(rate).toBeGreaterThan(0.1);
  }, 240_000);

  it.each(['contrastive', 'DExperts'])(
    'follow from the candidate set of %s as well',
    async (name) => {
      const run = {
        plan: plans()[name] as Plan,
        prompts: testPrompts(60, 40),
        maxNewTokens: 8,
        batchSize: 30,
      };
      const off = await generate({ ...run, lazy: false });
      const on = await generate({ ...run, lazy: true });
      expect(on.completions.map((c) => c.tokens)).toEqual(off.completions.map((c) => c.tokens));
      expect(on.stats.terms['other']?.skipped).toBeGreaterThan(10);
      expect(run.plan.explain()).toMatch(/leaves one candidate/);
    },
  );
});

describe('aborted streams', () => {
  it('leave no tensors behind after 10,000 answers', async () => {
    const plan = plans()['SafeInfer 0.9'] as Plan;
    const prompts = Array.from({ length: 100 }, (_, i) => [i % 40, (i * 7) % 40]);
    const before = tf.memory().numTensors;
    let answers = 0;
    let aborted = 0;
    for (let call = 0; answers < 10_000; call++) {
      const controller = new AbortController();
      const options = { plan, prompts, maxNewTokens: 3, batchSize: 100, signal: controller.signal };
      if (call % 4 === 0) controller.abort();
      let seen = 0;
      for await (const event of stream({
        ...options,
        lazy: call % 3 === 0,
        speculate: 1 + (call % 2),
      })) {
        if (event.type === 'finish' && event.reason === 'abort') aborted++;
        // After the first token, in the middle of a step's events, or by walking away.
        if (++seen === 1 + ((call * 17) % 230)) controller.abort();
        if (call % 5 === 4 && seen === 3) break;
      }
      answers += prompts.length;
    }
    expect(tf.memory().numTensors).toBe(before);
    expect(aborted).toBeGreaterThan(2000);
  }, 240_000);
});
