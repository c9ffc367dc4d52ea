// Plans made without a number have the defaults of their sources: the golden distributions of the published formulas.
import '@tensorflow/tfjs-backend-cpu';
import { loadPocket } from '@safeinfer/pocket';
import { createRandomModel, encodeChat, type Transformer } from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TermScores } from '../formula/compile-formula.ts';
import { logSoftmax } from '../formula/literal.ts';
import type { Plan } from '../plan/plan.ts';
import { promptTokens } from '../plan/prompt.ts';
import {
  classifierFree,
  contextAware,
  contrastiveDecoding,
  dexperts,
  plain,
  proxyTuning,
  rose,
  SAFETY_PROMPT,
  safeDecoding,
  safetyPrompt,
  selfCd,
} from './baselines.ts';
import { golden } from './recipe-golden.fixture.ts';
import { safeInfer } from './safe-infer.ts';
import { safetyArithmeticInterventions } from './safety-arithmetic.ts';

let model: Transformer;
beforeAll(async () => {
  await tf.setBackend('cpu');
  model = createRandomModel({ config: { vocabSize: 48 }, seed: 1 });
});
afterAll(() => model.dispose());

const framed = (token: number) => ({ prompt: { prefix: [token] } });

/** Plans without numbers; the terms in the order of the golden's a, b, c. */
const plans: Readonly<Record<string, () => readonly [Plan, ...string[]]>> = {
  'safeInfer 0.99': () => [safeInfer({ model, unsafe: framed(1) }), 'safe', 'unsafe'],
  safeDecoding: () => [safeDecoding({ model, expert: framed(1) }), 'base', 'expert'],
  selfCd: () => [selfCd({ model, emphasised: framed(1) }), 'emphasised', 'plain'],
  rose: () => [rose({ model, reverse: framed(1) }), 'positive', 'reverse'],
  dexperts: () => [
    dexperts({ model, expert: framed(1), anti: framed(2) }),
    'base',
    'expert',
    'anti',
  ],
  proxyTuning: () => [
    proxyTuning({ model, tuned: framed(1), untuned: framed(2) }),
    'large',
    'tuned',
    'untuned',
  ],
  contrastive: () => [contrastiveDecoding({ model, amateur: framed(1) }), 'expert', 'amateur'],
  contextAware: () => [contextAware({ model, without: framed(1) }), 'context', 'without'],
  classifierFree: () => [classifierFree({ model, negative: framed(1) }), 'conditioned', 'negative'],
};

describe.each(Object.keys(plans))('%s', (name) => {
  it('has the published defaults', () => {
    const [plan, ...ids] = (plans[name] as () => readonly [Plan, ...string[]])();
    expect(plan.terms.map((t) => t.id).sort()).toEqual([...ids].sort());
    for (const item of golden.cases) {
      const logits = [item.a, item.b, item.c];
      const scores = new Map(
        ids.map((id, i) => [id, new TermScores(Float32Array.from(logits[i] as number[]))]),
      );
      const out = new Float64Array(item.a.length);
      plan.formula.phaseAt(0).evaluate(scores, out);
      const got = logSoftmax(out);
      item.expected[name]?.forEach((want, i) => {
        const probability = want === golden.removed ? 0 : Math.exp(want);
        expect(Math.exp(got[i] as number)).toBeCloseTo(probability, 6);
      });
    }
  });
});

describe('recipes of one term', () => {
  it('plain and safety prompt: the same chat, with a system message in the second', async () => {
    using pocket = await loadPocket();
    const { model: chatty, tokenizer } = pocket;
    const user = { role: 'user', content: 'hello' };
    const [bare, safe] = [plain({ model: chatty }), safetyPrompt({ model: chatty })].map((plan) => {
      const { id, spec } = plan.terms[0] as Plan['terms'][number];
      return promptTokens([user], id, spec.model, spec.prompt);
    });
    const encode = (...messages: { role: string; content: string }[]) =>
      encodeChat({ tokenizer, messages, addGenerationPrompt: true });
    expect(bare).toEqual(encode(user));
    expect(safe).toEqual(encode({ role: 'system', content: SAFETY_PROMPT }, user));
    expect(safe).not.toEqual(bare);
  });

  it('Safety Arithmetic: alpha 0.12 at the MLP output of every layer that has a direction', () => {
    const directions = new Map([0, 2].map((layer) => [layer, Float32Array.from([3, 4])] as const));
    const edits = safetyArithmeticInterventions({ directions });
    expect(edits.map((e) => e.at)).toEqual(['blocks.0.hook_mlp_out', 'blocks.2.hook_mlp_out']);
    // Orthogonal to the direction: x / |x| - 0.1 * 0.12 * v / |v|, stretched to the old length.
    const shift = 0.1 * 0.12;
    const want = [-0.8, 0.6].map((x, i) => (x - shift * ((i === 0 ? 3 : 4) / 5)) * 10);
    const scale = 10 / Math.hypot(...want);
    const got = tf.tidy(() => {
      const x = tf.tensor2d([[-8, 6]]);
      const [edit] = edits as [(typeof edits)[0]];
      return (edit.apply(x as never, undefined as never) as tf.Tensor2D).arraySync();
    });
    got[0]?.forEach((value, i) => {
      expect(value).toBeCloseTo((want[i] as number) * scale, 5);
    });
  });
});
