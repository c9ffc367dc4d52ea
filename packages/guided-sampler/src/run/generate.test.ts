// Execution over rows against the naive way: every term its own full forward at every token, no caches, no batches.
import '@tensorflow/tfjs-backend-cpu';
import type { Intervention, Transformer } from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { firstSteps, penalise, term, union } from '../formula/expr.ts';
import { evaluateLiteral } from '../formula/literal.ts';
import { lma } from '../formula/lma-parser.ts';
import { compile, type Plan } from '../plan/plan.ts';
import { safeDecodingFormula, safeInferFormula } from '../recipes/formulas.ts';
import type { Processor } from '../sampling/processor.ts';
import type { SamplingOptions } from '../sampling/sampling-options.ts';
import type { TokenEvent } from './events.ts';
import { generate, stream } from './generate.ts';
import type { GenerateOptions } from './generate-options.ts';
import { type TestModel, testModel, testPrompts } from './models.fixture.ts';

// Real forwards in plain JavaScript: minutes on a busy machine.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

let test: TestModel;
beforeAll(async () => {
  await tf.setBackend('cpu');
  test = testModel();
});
afterAll(() => test[Symbol.dispose]());

/** Logits of the next token by a full forward over prompt + generated, steering replayed token by token. */
function fullForward(
  model: Transformer,
  prompt: readonly number[],
  generated: readonly number[],
  row: { adapter?: string; interventions?: readonly Intervention[] },
): Float32Array {
  using cache = model.createCache();
  using first = model.forward([{ ...row, tokens: prompt, cache, phase: 'prompt' }]);
  let logits = first.lastLogits().dataSync() as Float32Array;
  for (const token of generated) {
    using next = model.forward([{ ...row, tokens: [token], cache, phase: 'generation' }]);
    logits = next.lastLogits().dataSync() as Float32Array;
  }
  return logits;
}

function naive(prompt: readonly number[], steps: number): number[] {
  const formula = lma('sa - 0.9*union(unsafe, sa)', { sa: term('sa'), unsafe: term('unsafe') });
  const generated: number[] = [];
  for (let i = 0; i < steps; i++) {
    const final = evaluateLiteral(formula, {
      sa: fullForward(test.model, prompt, generated, { interventions: test.steer }),
      unsafe: fullForward(test.model, prompt, generated, { adapter: 'unsafe' }),
    });
    generated.push(final.indexOf(Math.max(...final)));
  }
  return generated;
}

const safeInferPlan = (lambda = 0.9): Plan =>
  compile(
    safeInferFormula(
      term('sa', { model: test.model, interventions: test.steer }),
      term('unsafe', { model: test.model, adapter: 'unsafe' }),
      { lambda },
    ),
  );

async function tokensOf(options: GenerateOptions): Promise<number[][]> {
  const { completions } = await generate(options);
  return completions.map((c) => [...c.tokens]);
}

describe('generate', () => {
  it('equals the naive two-model loop, token for token', async () => {
    const prompts = testPrompts(4);
    const got = await tokensOf({ plan: safeInferPlan(), prompts, maxNewTokens: 12 });
    expect(got).toEqual(prompts.map((prompt) => naive(prompt, 12)));
  });

  it('has effect: terms, steering and lambda change the text', async () => {
    const prompts = testPrompts(4);
    const plain = compile(term('sa', { model: test.model }));
    const runs = await Promise.all(
      [plain, safeInferPlan(0), safeInferPlan()].map((plan) =>
        tokensOf({ plan, prompts, maxNewTokens: 12 }),
      ),
    );
    expect(new Set(runs.map((r) => JSON.stringify(r))).size).toBe(3);
  });

  describe.each<[string, SamplingOptions]>([
    ['greedy', {}],
    ['temperature 1', { temperature: 1 }],
    ['temperature and truncation', { temperature: 0.8, topK: 12, topP: 0.9 }],
    ['penalties', { repetitionPenalty: 1.3, noRepeatNgram: 2, presencePenalty: 0.5 }],
    [
      'sampled penalties',
      { temperature: 1.2, repetitionPenalty: 1.2, frequencyPenalty: 0.3, minP: 0.01 },
    ],
    [
      'llama.cpp order',
      { temperature: 0.7, topP: 0.8, repetitionPenalty: 1.1, order: 'llama.cpp' },
    ],
  ])('%s', (_name, sampling) => {
    const prompts = testPrompts(4);
    // Stop tokens make rows end at different times.
    const base = (): GenerateOptions => ({
      plan: safeInferPlan(),
      prompts,
      maxNewTokens: 14,
      sampling,
      seed: 5,
      stopTokens: [3, 17, 40, 41, 42, 60, 61, 90],
      lazy: false,
    });

    it('gives the same tokens alone, batched, in another order, lazily and speculatively', async () => {
      const want = await tokensOf(base());
      expect(new Set(want.map((t) => t.length)).size).toBeGreaterThan(1);
      const alone: number[][] = [];
      for (const prompt of prompts) {
        alone.push((await tokensOf({ ...base(), prompts: [prompt] }))[0] as number[]);
      }
      expect(alone).toEqual(want);
      const reversed = await tokensOf({ ...base(), prompts: [...prompts].reverse(), batchSize: 2 });
      expect(reversed.reverse()).toEqual(want);
      expect(await tokensOf({ ...base(), lazy: true })).toEqual(want);
      expect(await tokensOf({ ...base(), lazy: 'auto' })).toEqual(want);
      for (const speculate of [2, 4]) {
        expect(await tokensOf({ ...base(), lazy: true, speculate })).toEqual(want);
        expect(await tokensOf({ ...base(), lazy: false, speculate, batchSize: 3 })).toEqual(want);
      }
    });
  });

  it('skips the unsafe term where it provably cannot matter, and says so', async () => {
    const options = {
      plan: safeInferPlan(0.5),
      prompts: testPrompts(6),
      maxNewTokens: 30,
      lazy: true,
    };
    const { stats, completions } = await generate(options);
    const unsafe = stats.terms['unsafe'];
    expect(unsafe?.skipped).toBeGreaterThan(20);
    expect(unsafe?.forwards).toBeLessThan(stats.terms['sa']?.forwards ?? 0);
    const events = completions.flatMap((c) => c.events);
    const skipped = events.filter((e) => e.terms?.['unsafe']?.ran === 'skipped');
    expect(skipped.length).toBe(unsafe?.skipped);
    expect(skipped.every((e) => e.logprob === undefined)).toBe(true);
    expect(options.plan.explain()).toMatch(/skip while \(1 \+ 1\) \* log p1 > log p2/);
  });

  it('verifies several drafts in one pass and reports what was kept', async () => {
    const options = {
      plan: safeInferPlan(),
      prompts: testPrompts(4),
      maxNewTokens: 24,
      lazy: false,
    };
    const one = await generate(options);
    const four = await generate({ ...options, speculate: 4 });
    const unsafe = four.stats.terms['unsafe'];
    expect(unsafe?.accepted).toBeGreaterThan(0);
    expect(unsafe?.rejected).toBeGreaterThan(0);
    expect(unsafe?.forwards).toBeLessThan(one.stats.terms['unsafe']?.forwards ?? 0);
  });

  it('lets an open token wait for the next one, so that a pass of the others serves both', async () => {
    const options = {
      plan: safeInferPlan(0.5),
      prompts: testPrompts(6),
      maxNewTokens: 30,
      lazy: true,
    };
    const once = await generate({ ...options, speculate: 1 });
    const waiting = await generate(options);
    expect(waiting.completions.map((c) => c.tokens)).toEqual(once.completions.map((c) => c.tokens));
    const forwards = ({ stats }: typeof once): number => stats.terms['unsafe']?.forwards ?? 0;
    expect(forwards(waiting)).toBeLessThan(forwards(once));
    // What the first term decides is decided wherever it stands.
    expect(waiting.stats.terms['unsafe']?.skipped).toBe(once.stats.terms['unsafe']?.skipped);
  });

  it('feeds nothing twice when rows end early: prompt and text of every row, once', async () => {
    const prompts = testPrompts(6);
    const { completions, stats } = await generate({
      plan: safeInferPlan(),
      prompts,
      maxNewTokens: 20,
      lazy: false,
      stopTokens: [3, 17, 40, 41, 42, 60, 61, 90],
    });
    expect(new Set(completions.map((c) => c.tokens.length)).size).toBeGreaterThan(2);
    // The last token of an answer is not fed.
    const fed = completions.reduce((sum, c) => sum + c.tokens.length - 1, 0);
    const read = prompts.reduce((sum, prompt) => sum + prompt.length, 0);
    for (const id of ['sa', 'unsafe']) expect(stats.terms[id]?.tokens).toBe(read + fed);
  });

  it('attributes every token: deltas minus the normaliser are its logprob', async () => {
    const plans = [
      safeInferPlan(),
      compile(
        lma('sa + 0.5*other - 0.3*union(unsafe, other)', {
          sa: term('sa', { model: test.model }),
          other: term('other', { model: test.model, adapter: 'other' }),
          unsafe: term('unsafe', { model: test.model, adapter: 'unsafe' }),
        }),
      ),
    ];
    for (const plan of plans) {
      const { completions } = await generate({
        plan,
        prompts: testPrompts(3),
        maxNewTokens: 8,
        logprobs: 3,
      });
      for (const event of completions.flatMap((c) => c.events)) {
        const deltas = Object.values(event.terms ?? {}).map((t) => t.delta as number);
        const total = deltas.reduce((a, b) => a + b, 0);
        expect(total - (event.normaliser as number)).toBeCloseTo(event.logprob as number, 9);
        expect(event.top?.[0]?.token).toBe(event.token);
        expect(event.top?.[0]?.logprob).toBeCloseTo(event.logprob as number, 12);
        expect(event.top).toHaveLength(3);
      }
    }
  });

  it('has one normaliser for all tokens of a position', async () => {
    const plan = safeInferPlan();
    const prompts = testPrompts(1);
    const first = async (logitBias: Record<string, number>): Promise<TokenEvent> => {
      const sampling = { logitBias };
      const { completions } = await generate({
        plan,
        prompts,
        maxNewTokens: 1,
        sampling,
        logprobs: 0,
      });
      return completions[0]?.events[0] as TokenEvent;
    };
    const a = await first({});
    const b = await first({ [String((a.token + 1) % 96)]: 500 });
    expect(b.token).not.toBe(a.token);
    expect(b.normaliser).toBeCloseTo(a.normaliser as number, 6);
  });

  it('runs schedules: SafeDecoding’s expert stops after its tokens', async () => {
    const plan = compile(
      safeDecodingFormula(
        term('base', { model: test.model }),
        term('expert', { model: test.model, adapter: 'other' }),
      ),
    );
    const { stats } = await generate({ plan, prompts: testPrompts(3), maxNewTokens: 10 });
    expect(stats.terms['expert']?.forwards).toBe(6);
    expect(stats.terms['base']?.forwards).toBe(30);
  });

  it('feeds a term that is needed late with everything it missed', async () => {
    const a = term('a', { model: test.model });
    const late = firstSteps(
      5,
      a,
      penalise(a, term('u', { model: test.model, adapter: 'unsafe' }), { beta: 9 }),
    );
    const always = union(a, a);
    const { completions } = await generate({
      plan: compile(late),
      prompts: testPrompts(2),
      maxNewTokens: 9,
    });
    for (const [i, prompt] of testPrompts(2).entries()) {
      const generated: number[] = [];
      for (let step = 0; step < 9; step++) {
        const final = evaluateLiteral(
          late,
          {
            a: fullForward(test.model, prompt, generated, {}),
            u: fullForward(test.model, prompt, generated, { adapter: 'unsafe' }),
          },
          step,
        );
        generated.push(final.indexOf(Math.max(...final)));
      }
      expect(completions[i]?.tokens).toEqual(generated);
    }
    expect(compile(always).terms).toHaveLength(1);
  });

  it.each<[string, readonly Intervention[]]>([
    ['data', []],
    [
      'a function',
      [
        {
          at: 'blocks.0.hook_resid_post',
          during: 'generation',
          // Depends on how many tokens a pass has: right only when they are fed as without skipping.
          apply: (x: tf.Tensor) => tf.mul(x, 1 + 0.3 * (x.shape[0] as number)),
        },
      ],
    ],
  ])('steers skipped terms at every token they catch up with, %s', async (_name, more) => {
    const plan = compile(
      safeInferFormula(
        term('sa', { model: test.model }),
        term('unsafe', { model: test.model, interventions: [...test.steer, ...more] }),
        { lambda: 0.5 },
      ),
    );
    const options = { plan, prompts: testPrompts(3), maxNewTokens: 14 };
    const want = await tokensOf({ ...options, lazy: false });
    const lazy = await generate({ ...options, lazy: true });
    expect(lazy.completions.map((c) => c.tokens)).toEqual(want);
    expect(lazy.stats.terms['unsafe']?.skipped).toBeGreaterThan(3);
    expect(await tokensOf({ ...options, lazy: false, speculate: 3 })).toEqual(want);
  });

  it('runs the caller’s own processors, in bounds as well', async () => {
    const even: Processor = {
      name: 'even tokens only',
      effect: 'monotone',
      apply: (scores) => {
        for (let i = 1; i < scores.length; i += 2) scores[i] = Number.NEGATIVE_INFINITY;
      },
    };
    const options = {
      plan: safeInferPlan(),
      prompts: testPrompts(2),
      maxNewTokens: 8,
      processors: [even],
    };
    const lazy = await tokensOf({ ...options, lazy: true });
    expect(lazy).toEqual(await tokensOf({ ...options, lazy: false }));
    expect(lazy.flat().every((token) => token % 2 === 0)).toBe(true);
  });

  it('gives n different answers per prompt, the same ones again with the same seed', async () => {
    const options = {
      plan: safeInferPlan(),
      prompts: testPrompts(2),
      maxNewTokens: 6,
      n: 4,
      sampling: { temperature: 1.5 },
      seed: 3,
    };
    const [one, two] = [await tokensOf(options), await tokensOf(options)];
    expect(one).toEqual(two);
    expect(one).toHaveLength(8);
    expect(new Set(one.map((t) => t.join())).size).toBeGreaterThan(4);
    expect(await tokensOf({ ...options, seed: 4 })).not.toEqual(one);
  });

  it('skips every model for a forced prefix', async () => {
    const { completions, stats } = await generate({
      plan: safeInferPlan(),
      prompts: [[1, 2, 3]],
      maxNewTokens: 6,
      sampling: { forcedPrefix: [9, 8, 7] },
    });
    expect(completions[0]?.tokens.slice(0, 3)).toEqual([9, 8, 7]);
    expect(stats.terms['sa']?.forwards).toBeLessThanOrEqual(4);
    const want = naive([1, 2, 3, 9, 8, 7], 3);
    expect(completions[0]?.tokens).toHaveLength(6);
    // Not the same computation (the prefix is generated text here), so only lengths and the prefix are compared.
    expect(want).toHaveLength(3);
  });
});

describe('bad input and clean ends', () => {
  const prompts = testPrompts(2);

  it.each<[string, Partial<GenerateOptions>, string]>([
    ['an empty prompt', { prompts: [[]] }, 'BAD_ARGUMENT'],
    ['no prompts', { prompts: [] }, 'BAD_ARGUMENT'],
    ['text without a tokenizer', { prompts: ['hello'] }, 'BAD_ARGUMENT'],
    [
      'a prompt longer than the context',
      { prompts: [new Array<number>(257).fill(1)] },
      'CONTEXT_OVERFLOW',
    ],
    ['maxNewTokens 0', { maxNewTokens: 0 }, 'BAD_ARGUMENT'],
    ['stop strings without a tokenizer', { stop: ['x'] }, 'BAD_ARGUMENT'],
    ['a stop token outside the vocabulary', { stopTokens: [96] }, 'BAD_ARGUMENT'],
    ['unknown sampling', { sampling: { topp: 1 } as SamplingOptions }, 'BAD_ARGUMENT'],
    ['a prompt map without a term', { prompts: [{ sa: [1] }] }, 'BAD_ARGUMENT'],
    ['a token outside the vocabulary', { prompts: [[1, 96]] }, 'BAD_ARGUMENT'],
    [
      'everything suppressed',
      { sampling: { suppressTokens: Array.from({ length: 96 }, (_, i) => i) } },
      'BAD_ARGUMENT',
    ],
  ])('refuses %s', async (_name, wrong, code) => {
    const before = tf.memory().numTensors;
    await expect(
      generate({ plan: safeInferPlan(), prompts, maxNewTokens: 4, ...wrong }),
    ).rejects.toMatchObject({ code });
    expect(tf.memory().numTensors).toBe(before);
  });

  it('refuses unknown adapters and mixed vocabularies when the plan is made', () => {
    using small = testModel({ vocabSize: 50 });
    const a = term('a', { model: test.model });
    expect(() =>
      compile(safeInferFormula(a, term('b', { model: test.model, adapter: 'nope' }))),
    ).toThrowError(/adapter "nope"/);
    expect(() => compile(safeInferFormula(a, term('b', { model: small.model })))).toThrowError(
      /vocabularies of 96 and 50/,
    );
  });

  it('ends at the context limit', async () => {
    const { completions } = await generate({
      plan: compile(term('m', { model: test.model })),
      prompts: [new Array<number>(250).fill(1)],
      maxNewTokens: 50,
    });
    expect(completions[0]).toMatchObject({
      reason: 'length',
      usage: { promptTokens: 250, completionTokens: 7 },
    });
  });

  it('stops with the layer’s term when logits are not finite', async () => {
    const bad = [
      { at: 'blocks.1.hook_resid_post', op: 'add', vector: new Float32Array(32).fill(Number.NaN) },
    ] as const;
    const plan = compile(term('broken', { model: test.model, interventions: bad }));
    const before = tf.memory().numTensors;
    await expect(generate({ plan, prompts, maxNewTokens: 2 })).rejects.toMatchObject({
      code: expect.stringMatching(/NON_FINITE|BAD_ARGUMENT/),
    });
    expect(tf.memory().numTensors).toBe(before);
  });

  it('leaves no tensors behind: finished, left early, aborted, failed', async () => {
    const before = tf.memory().numTensors;
    const options = { plan: safeInferPlan(), prompts: testPrompts(5), maxNewTokens: 8 };
    await generate({ ...options, speculate: 3 });
    expect(tf.memory().numTensors).toBe(before);
    for await (const event of stream(options))
      if (event.type === 'token' && event.step === 3) break;
    expect(tf.memory().numTensors).toBe(before);
    const controller = new AbortController();
    const reasons: string[] = [];
    for await (const event of stream({ ...options, signal: controller.signal })) {
      if (event.type === 'token' && event.step === 2) controller.abort();
      if (event.type === 'finish') reasons.push(event.reason);
    }
    expect(reasons).toEqual(['abort', 'abort', 'abort', 'abort', 'abort']);
    expect(tf.memory().numTensors).toBe(before);
    await expect(generate({ ...options, signal: controller.signal })).rejects.toMatchObject({
      code: 'ABORTED',
    });
    expect(tf.memory().numTensors).toBe(before);
  });
});
