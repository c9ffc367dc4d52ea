// Every recipe as a plan: it runs, its terms see their own prompts, and it says what it does.
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { evaluateLiteral } from '../formula/literal.ts';
import type { Plan } from '../plan/plan.ts';
import { generate } from '../run/generate.ts';
import { type TestModel, testModel, testPrompts } from '../run/models.fixture.ts';
import {
  classifierFree,
  contextAware,
  contrastiveDecoding,
  dexperts,
  plain,
  proxyTuning,
  rose,
  safeDecoding,
  selfCd,
} from './baselines.ts';
import { safeInfer } from './safe-infer.ts';

// Real forwards in plain JavaScript: minutes on a busy machine.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

let test: TestModel;
beforeAll(async () => {
  await tf.setBackend('cpu');
  test = testModel();
});
afterAll(() => test[Symbol.dispose]());

const prefix = [11, 12, 13];
const plans: Record<string, () => Plan> = {
  plain: () => plain({ model: test.model }),
  'SafeInfer, adapter twin': () =>
    safeInfer({ model: test.model, safe: test.steer, unsafe: { adapter: 'unsafe' } }),
  'SafeInfer, negative prompt': () =>
    safeInfer({ model: test.model, unsafe: { prompt: { prefix } } }),
  SafeDecoding: () => safeDecoding({ model: test.model, expert: { adapter: 'other' } }),
  'Self-CD': () => selfCd({ model: test.model, emphasised: { prompt: { prefix } } }),
  ROSE: () =>
    rose({
      model: test.model,
      positive: { prompt: { prefix: [7] } },
      reverse: { prompt: { prefix } },
    }),
  DExperts: () =>
    dexperts({ model: test.model, expert: { adapter: 'other' }, anti: { adapter: 'unsafe' } }),
  'proxy-tuning': () =>
    proxyTuning({ model: test.model, tuned: { adapter: 'other' }, untuned: { adapter: 'third' } }),
  'contrastive decoding': () =>
    contrastiveDecoding({ model: test.model, amateur: { adapter: 'third' } }),
  'context-aware decoding': () =>
    contextAware({
      model: test.model,
      without: { prompt: (p) => (p as readonly number[]).slice(1) },
    }),
  'classifier-free guidance': () =>
    classifierFree({ model: test.model, negative: { prompt: { prefix } } }),
};

/** The tokens a term sees, from its rule. */
function view(plan: Plan, id: string, prompt: readonly number[]): readonly number[] {
  const rule = plan.terms.find((t) => t.id === id)?.spec.prompt;
  if (rule === undefined) return prompt;
  if (typeof rule === 'function') return rule(prompt) as readonly number[];
  return 'prefix' in rule ? [...(rule.prefix as readonly number[]), ...prompt] : prompt;
}

describe.each(Object.keys(plans))('%s', (name) => {
  it('gives the tokens of its formula over full forwards', async () => {
    const plan = (plans[name] as () => Plan)();
    const prompts = testPrompts(2);
    const { completions } = await generate({ plan, prompts, maxNewTokens: 5 });
    for (const [i, prompt] of prompts.entries()) {
      const generated: number[] = [];
      for (let step = 0; step < 5; step++) {
        const logits = plan.terms.map(({ id, spec }) => {
          const seen = view(plan, id, prompt);
          // Steering acts at the last prompt token and at every generated one.
          const interventions = (spec.interventions ?? []).map((intervention) => ({
            ...intervention,
            positions: Array.from({ length: generated.length + 1 }, (_, k) => seen.length - 1 + k),
          })) as NonNullable<typeof spec.interventions>;
          using result = test.model.forward([
            {
              tokens: [...seen, ...generated],
              interventions,
              ...(spec.adapter === undefined ? {} : { adapter: spec.adapter }),
            },
          ]);
          return [id, result.lastLogits().dataSync() as Float32Array] as const;
        });
        const final = evaluateLiteral(plan.formula.source, Object.fromEntries(logits), step);
        generated.push(final.indexOf(Math.max(...final)));
      }
      expect(completions[i]?.tokens).toEqual(generated);
    }
    expect(plan.explain()).toMatch(/^formula: .*\nterms:\n/);
  });
});
