// Requests that share a batch: the same answers as alone, within the budget, and nothing left behind.
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { term } from '../formula/expr.ts';
import { lma } from '../formula/lma-parser.ts';
import { compile, type Plan } from '../plan/plan.ts';
import { dexpertsFormula, safeInferFormula } from '../recipes/formulas.ts';
import type { StepEvent } from '../run/events.ts';
import { generate } from '../run/generate.ts';
import type { GenerateOptions } from '../run/generate-options.ts';
import { type TestModel, testModel, testPrompts } from '../run/models.fixture.ts';
import { Scheduler } from './scheduler.ts';

// Real forwards in plain JavaScript: minutes on a busy machine.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const LETTERS = 96;
const tokenizer = {
  encode: (text: string) => Array.from(text, (c) => (c.charCodeAt(0) - 32) % LETTERS),
  decode: (ids: readonly number[]) => String.fromCharCode(...ids.map((id) => 32 + id)),
};

let test: TestModel;
let plans: readonly Plan[];
beforeAll(async () => {
  await tf.setBackend('cpu');
  test = testModel({ tokenizer, seed: 3 });
  const { model, steer } = test;
  const base = term('base', { model });
  const adapted = (adapter: string) => term(adapter, { model, adapter });
  const steered = term('steered', { model, interventions: steer });
  plans = [
    compile(base),
    compile(steered),
    compile(safeInferFormula(steered, adapted('unsafe'), { lambda: 0.9 })),
    compile(
      safeInferFormula(base, term('framed', { model, prompt: { prefix: [7, 8] } }), {
        lambda: 0.5,
      }),
    ),
    compile(dexpertsFormula(base, adapted('other'), adapted('third'))),
    compile(lma('a - 0.4*union(b, a)', { a: base, b: adapted('unsafe') })),
  ];
});
afterAll(() => test[Symbol.dispose]());

/** The next pseudo-random whole number below `n`. */
function dice(seed: number): (n: number) => number {
  let state = seed;
  return (n) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % n;
  };
}

/** Requests of every kind: arms, sampling, seeds, stop strings, logprobs, several answers, drafts, bans. */
function requests(count: number): GenerateOptions[] {
  const roll = dice(5);
  const prompts = testPrompts(count);
  return Array.from({ length: count }, (_, i): GenerateOptions => {
    const sampling = [
      {},
      { temperature: 1 },
      { temperature: 0.7, topP: 0.9 },
      { temperature: 1.2, topK: 5, repetitionPenalty: 1.2 },
      { frequencyPenalty: 0.5 },
    ][roll(5)];
    const extra: Partial<GenerateOptions>[] = [
      {},
      { n: 2 },
      { logprobs: 2 },
      { stop: ['e', 'Q('] },
      { speculate: 3 },
      { lazy: true },
      { stopTokens: [5, 50] },
      { prompts: [prompts[i] as number[], prompts[(i + 1) % count] as number[]] },
    ];
    return {
      plan: plans[i % plans.length] as Plan,
      prompts: [prompts[i] as number[]],
      maxNewTokens: 2 + roll(14),
      seed: roll(1000),
      ...(sampling === undefined ? {} : { sampling }),
      ...extra[roll(extra.length)],
    };
  });
}

interface Answer {
  readonly tokens: readonly number[];
  readonly text: string;
  readonly reason: string;
}

async function read(events: AsyncIterable<StepEvent>, n: number): Promise<Answer[]> {
  const answers: { tokens: number[]; text: string; reason: string }[] = [];
  for await (const event of events) {
    const index = event.prompt * n + event.sample;
    const answer = answers[index] ?? { tokens: [], text: '', reason: '' };
    answers[index] = answer;
    answer.text += event.text;
    if (event.type === 'token') answer.tokens.push(event.token);
    else answer.reason = event.reason;
  }
  return answers;
}

const short = ({ tokens, text, reason }: Answer): Answer => ({ tokens, text, reason });

describe('continuous batching', () => {
  it('gives every request the tokens that it gets alone, whenever it joins', async () => {
    const all = requests(40);
    const alone: Answer[][] = [];
    for (const options of all) alone.push((await generate(options)).completions.map(short));
    const before = tf.memory().numTensors;
    const roll = dice(11);
    const together: Promise<Answer[]>[] = [];
    let most = 0;
    let waiting = 0;
    await using scheduler = new Scheduler({
      maxRows: 24,
      onStep: ({ active }) => {
        most = Math.max(most, active);
        // Joins at random steps: none, one or several at once.
        if (waiting-- <= 0) join(roll(4));
      },
    });
    const join = (count: number): void => {
      waiting = roll(3);
      for (const options of all.slice(together.length, together.length + Math.max(1, count))) {
        together.push(read(scheduler.submit(options), options.n ?? 1));
      }
    };
    join(3);
    for (let i = 0; i < all.length; i++) {
      // Joined by the steps above while anything runs.
      if (together.length <= i) join(1);
      expect(await together[i], `request ${i}`).toEqual(alone[i]);
    }
    expect(most).toBeGreaterThan(5);
    await scheduler.drain();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('runs requests that share a model in one pass', async () => {
    await using scheduler = new Scheduler();
    const some = plans.slice(0, 2).map((plan) => ({ plan, prompts: [[1, 2]], maxNewTokens: 6 }));
    const passes = await Promise.all(
      some.map(async (options) => {
        let count = 0;
        for await (const event of scheduler.submit(options))
          if (event.type === 'finish') count = event.stats.passes;
        return count;
      }),
    );
    expect(passes).toEqual([6, 6]);
    expect(scheduler.load.steps).toBe(6);
  });

  it('keeps to its budget and serves in the order of arrival', async () => {
    const finished: number[] = [];
    let most = 0;
    let tokens = 0;
    await using scheduler = new Scheduler({
      maxRows: 4,
      maxCachedTokens: 60,
      onStep: () => {
        most = Math.max(most, scheduler.load.rows);
        tokens = Math.max(tokens, scheduler.load.cachedTokens);
      },
    });
    const plan = plans[2] as Plan;
    await Promise.all(
      Array.from({ length: 7 }, async (_, i) => {
        const options = { plan, prompts: [[i, 2, 3]], maxNewTokens: 8, ignoreEos: true };
        await read(scheduler.submit(options), 1);
        finished.push(i);
      }),
    );
    // Two requests run at a time: neighbours may change places at the end, nobody overtakes more.
    finished.forEach((request, place) => {
      expect(Math.abs(request - place)).toBeLessThan(2);
    });
    expect(most).toBeLessThanOrEqual(4);
    expect(tokens).toBeLessThanOrEqual(60);
    expect(() => scheduler.submit({ plan, prompts: [[1]], maxNewTokens: 200 })).toThrow(
      expect.objectContaining({ code: 'BAD_ARGUMENT' }),
    );
  });

  it('refuses what does not fit in the queue, at once', async () => {
    await using scheduler = new Scheduler({ maxRows: 2, maxQueue: 3 });
    const plan = plans[0] as Plan;
    const options = { plan, prompts: [[1, 2]], maxNewTokens: 4 };
    const running = Array.from({ length: 5 }, () => read(scheduler.submit(options), 1));
    expect(() => scheduler.submit(options)).toThrow(expect.objectContaining({ code: 'BUSY' }));
    expect(scheduler.load.retryAfterSeconds).toBeGreaterThanOrEqual(1);
    await Promise.all(running);
    expect(await read(scheduler.submit(options), 1)).toHaveLength(1);
  });

  it('frees aborted and abandoned requests at the next step, and leaves the others alone', async () => {
    const before = tf.memory().numTensors;
    const [kept, other] = requests(8).slice(3, 5) as [GenerateOptions, GenerateOptions];
    const alone = (await generate(kept)).completions.map(short);
    await using scheduler = new Scheduler();
    const answers = read(scheduler.submit(kept), kept.n ?? 1);
    const long = { ...other, maxNewTokens: 100, ignoreEos: true, stop: [], stopTokens: [] };
    const early = new AbortController();
    early.abort();
    const reasons = async (signal: AbortSignal, after: number): Promise<string[]> => {
      const list: string[] = [];
      let seen = 0;
      for await (const event of scheduler.submit({ ...long, signal })) {
        if (event.type === 'finish') list.push(event.reason);
        if (++seen === after) late.abort();
      }
      return list;
    };
    const late = new AbortController();
    const aborted = [reasons(early.signal, -1), reasons(late.signal, 3)];
    for await (const _ of scheduler.submit(long)) break;
    // Never read at all.
    await scheduler.submit(long).return?.();
    expect(await Promise.all(aborted)).toEqual([[], ['abort']]);
    expect(await answers).toEqual(alone);
    await scheduler.drain();
    expect(scheduler.load).toMatchObject({ running: 0, queued: 0, rows: 0, cachedTokens: 0 });
    expect(tf.memory().numTensors).toBe(before);
  });

  it('ends only the request that fails', async () => {
    const before = tf.memory().numTensors;
    await using scheduler = new Scheduler();
    const good = { plan: plans[1] as Plan, prompts: [[1, 2, 3]], maxNewTokens: 8 };
    const alone = (await generate(good)).completions.map(short);
    const { model } = test;
    const adding = (value: number): Plan => {
      const vector = new Float32Array(model.config.dModel).fill(value);
      // After the last norm: the products with the unembedding overflow.
      const at = 'ln_final.hook_normalized';
      return compile(term('bad', { model, interventions: [{ at, op: 'add', vector }] }));
    };
    const throwing = {
      name: 'thrower',
      effect: 'monotone' as const,
      apply: (_: unknown, { step }: { step: number }) => {
        if (step === 2) throw new Error('processor failed');
      },
    };
    const results = await Promise.allSettled([
      read(scheduler.submit(good), 1),
      read(scheduler.submit({ ...good, plan: adding(3e38) }), 1),
      read(scheduler.submit({ ...good, plan: adding(Number.NaN) }), 1),
      read(scheduler.submit({ ...good, processors: [throwing] }), 1),
      read(scheduler.submit({ ...good, sampling: { suppressTokens: allTokens() } }), 1),
    ]);
    expect(results[0]).toEqual({ status: 'fulfilled', value: alone });
    expect(results[1]).toMatchObject({ status: 'rejected', reason: { code: 'NON_FINITE' } });
    expect(results[2]).toMatchObject({ reason: { message: expect.stringContaining('NaN') } });
    expect(results[3]).toMatchObject({ reason: { message: 'processor failed' } });
    expect(results[4]).toMatchObject({ reason: { code: 'BAD_ARGUMENT' } });
    await scheduler.drain();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('drains: refuses new requests, finishes those it has; disposal aborts them', async () => {
    const before = tf.memory().numTensors;
    const options = {
      plan: plans[2] as Plan,
      prompts: [[4, 5]],
      maxNewTokens: 12,
      ignoreEos: true,
    };
    const first = new Scheduler();
    const answer = read(first.submit(options), 1);
    const done = first.drain();
    expect(() => first.submit(options)).toThrow(expect.objectContaining({ code: 'DISPOSED' }));
    await done;
    expect((await answer)[0]?.tokens).toHaveLength(12);
    const second = new Scheduler();
    const events = second.submit({ ...options, maxNewTokens: 100 });
    await events.next();
    const cut = read(events, 1);
    await second[Symbol.asyncDispose]();
    expect((await cut)[0]?.reason).toBe('abort');
    expect(tf.memory().numTensors).toBe(before);
  });
});

function allTokens(): number[] {
  return Array.from({ length: LETTERS }, (_, i) => i);
}

describe('scoring', () => {
  it('gives the log-probabilities that generation reports for the same tokens', async () => {
    const before = tf.memory().numTensors;
    await using scheduler = new Scheduler();
    for (const plan of plans) {
      const options = { plan, prompts: [[9]], maxNewTokens: 70, ignoreEos: true, logprobs: 3 };
      const { completions } = await generate({ ...options, lazy: false });
      const { tokens, events } = completions[0] as (typeof completions)[number];
      const [scores] = await scheduler.score({ plan, texts: [[9, ...tokens]], logprobs: 3 });
      expect(scores?.tokens.map((t) => t.token)).toEqual([9, ...tokens]);
      expect(scores?.tokens[0]).toEqual({ token: 9, text: ')' });
      for (const [i, event] of events.entries()) {
        const scored = scores?.tokens[i + 1];
        expect(scored?.logprob).toBeCloseTo(event.logprob as number, 3);
        expect(scored?.top?.map((t) => t.token)).toEqual(event.top?.map((t) => t.token));
      }
    }
    await scheduler.drain();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('scores texts together, beside generations, and knows single tokens', async () => {
    await using scheduler = new Scheduler({ maxRows: 4 });
    const plan = plans[2] as Plan;
    const texts = [[4, 6, 8, 1], [3], [1, 2], testPrompts(9)[8] as number[]];
    const generated = read(scheduler.submit({ plan, prompts: [[1]], maxNewTokens: 5 }), 1);
    const together = await scheduler.score({ plan, texts });
    expect(together.map((t) => t.tokens.length)).toEqual(texts.map((t) => t.length));
    for (const [i, text] of texts.entries()) {
      const [alone] = await scheduler.score({ plan, texts: [text] });
      alone?.tokens.forEach(({ logprob }, t) => {
        if (logprob === undefined) expect(t).toBe(0);
        else expect(together[i]?.tokens[t]?.logprob).toBeCloseTo(logprob, 4);
      });
    }
    await generated;
    const chat = compile(term('chat', { model: test.model, prompt: { system: 'Be kind.' } }));
    await expect(scheduler.score({ plan: chat, texts: ['abc'] })).rejects.toMatchObject({
      code: 'BAD_ARGUMENT',
    });
  });
});
