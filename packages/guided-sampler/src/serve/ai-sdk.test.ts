// The model object inside the real AI SDK: generateText, streamText, generateObject, aborts and refusals.
import '@tensorflow/tfjs-backend-cpu';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import * as tf from '@tensorflow/tfjs-core';
import { generateObject, generateText, jsonSchema, streamText } from 'ai';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { generate } from '../run/generate.ts';
import type { Processor } from '../sampling/processor.ts';
import { asLanguageModel } from './ai-sdk.ts';
import { type Served, servedModel } from './clients.fixture.ts';
import { openAiHandler } from './openai-handler.ts';

// Real forwards in plain JavaScript: minutes on a busy machine.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

let test: Served;
beforeAll(async () => {
  await tf.setBackend('cpu');
  test = servedModel();
});
afterAll(() => test[Symbol.dispose]());
const model = () => asLanguageModel(test.served);
/** Fails at the fourth token. */
const breaks: Processor = {
  name: 'breaks',
  effect: 'monotone',
  apply: (_, { step }) => {
    if (step === 3) throw new Error('processor failed');
  },
};
const ask = { prompt: 'Say something.', maxOutputTokens: 12 };

describe('the AI SDK', () => {
  it('gets the text, usage and finish reason of the run', async () => {
    const result = await generateText({ model: model(), ...ask });
    const { completions } = await generate({
      plan: test.served.plan,
      prompts: ['user: Say something.\nassistant: '],
      maxNewTokens: 12,
    });
    expect(result.text).toBe(completions[0]?.text);
    expect(result.finishReason).toBe('length');
    expect(result.usage).toMatchObject({ inputTokens: 32, outputTokens: 12, totalTokens: 44 });
    expect(result.warnings).toEqual([]);
  });

  it('streams the same text with every token’s terms as metadata', async () => {
    const whole = await generateText({ model: model(), ...ask, temperature: 1, seed: 4 });
    const result = streamText({ model: model(), ...ask, temperature: 1, seed: 4 });
    let text = '';
    const tokens: { terms: Record<string, { ran: string }> }[] = [];
    for await (const part of result.fullStream) {
      if (part.type === 'text-delta') text += part.text;
      if (part.type === 'text-delta' || part.type === 'text-end') {
        tokens.push(...((part.providerMetadata?.['guidedSampler']?.['tokens'] ?? []) as never[]));
      }
    }
    expect(text).toBe(whole.text);
    expect(tokens).toHaveLength(12);
    expect(Object.keys(tokens[0]?.terms ?? {})).toEqual(['safe', 'unsafe']);
    expect(await result.finishReason).toBe('length');
    const metadata = await result.providerMetadata;
    expect(metadata?.['guidedSampler']).toHaveProperty('stats');
  });

  it('makes objects of a schema', async () => {
    const schema = jsonSchema<{ ok: boolean }>({
      type: 'object',
      properties: { ok: { type: 'boolean' } },
      required: ['ok'],
      additionalProperties: false,
    });
    const { object } = await generateObject({
      model: model(),
      prompt: 'x',
      schema,
      maxOutputTokens: 60,
    });
    expect(typeof object.ok).toBe('boolean');
  });

  it('honours stop sequences and own options, warns of what it cannot do, refuses unknown names', async () => {
    const free = await generateText({ model: model(), ...ask });
    const stop = free.text.slice(4, 6);
    const stopped = await generateText({ model: model(), ...ask, stopSequences: [stop] });
    expect(stopped.text).toBe(free.text.slice(0, free.text.indexOf(stop)));
    expect(stopped.finishReason).toBe('stop');
    const options = {
      providerOptions: { guidedSampler: { speculate: 3, repetitionPenalty: 1.5, logprobs: 2 } },
    };
    const own = await generateText({ model: model(), ...ask, ...options });
    expect(own.text).not.toBe(free.text);
    const tokens = own.providerMetadata?.['guidedSampler']?.['tokens'] as {
      logprob: number;
      top: { token: number; logprob: number }[];
    }[];
    expect(tokens).toHaveLength(12);
    // Before the penalty, so the chosen token need not be the most likely one.
    for (const { logprob, top } of tokens) {
      expect(top).toHaveLength(2);
      expect(top[0]?.logprob).toBeGreaterThanOrEqual(logprob);
    }
    const calls = await model().doGenerate({
      prompt: [{ role: 'user', content: [{ type: 'text', text: 'hi' }] }],
      maxOutputTokens: 2,
      tools: [{ type: 'function', name: 'f', inputSchema: {} }],
    });
    expect(calls.warnings).toMatchObject([{ type: 'unsupported', feature: 'tools' }]);
    const wrong = { providerOptions: { guidedSampler: { topq: 1 } } };
    await expect(generateText({ model: model(), ...ask, ...wrong })).rejects.toThrowError(/topq/);
    await expect(
      model().doGenerate({
        prompt: [{ role: 'user', content: [{ type: 'file', data: 'x', mediaType: 'image/png' }] }],
      }),
    ).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  });

  it('carries the label of the specification that was asked for, and warns of its own field', async () => {
    expect(model().specificationVersion).toBe('v3');
    const newer = asLanguageModel({ ...test.served, specificationVersion: 'v4' });
    expect(newer.specificationVersion).toBe('v4');
    const call = {
      prompt: [{ role: 'user' as const, content: [{ type: 'text' as const, text: 'hi' }] }],
      maxOutputTokens: 2,
      reasoning: 'high',
    };
    const { content, warnings } = await newer.doGenerate(call);
    expect(content[0]).toMatchObject({ type: 'text' });
    expect(warnings).toMatchObject([{ type: 'unsupported', feature: 'reasoning' }]);
  });

  it('fails in the middle of a stream with an error part, and leaves no tensors', async () => {
    const before = tf.memory().numTensors;
    const failing = { ...test.served, defaults: { ...test.served.defaults, processors: [breaks] } };
    const result = streamText({
      model: asLanguageModel(failing),
      ...ask,
      onError: () => undefined,
    });
    const types: string[] = [];
    for await (const part of result.fullStream) types.push(part.type);
    expect(types).toContain('text-delta');
    expect(types).toContain('error');
    expect(tf.memory().numTensors).toBe(before);
  });

  it('rejects at once when already aborted, and ends a stream without leaks', async () => {
    const before = tf.memory().numTensors;
    await expect(
      model().doGenerate({ prompt: [], abortSignal: AbortSignal.abort() }),
    ).rejects.toMatchObject({ name: 'AbortError' });
    const controller = new AbortController();
    const result = streamText({
      model: model(),
      prompt: 'x',
      maxOutputTokens: 200,
      abortSignal: controller.signal,
    });
    let deltas = 0;
    let aborted = false;
    for await (const part of result.fullStream) {
      if (part.type === 'text-delta' && ++deltas === 3) controller.abort();
      if (part.type === 'abort') aborted = true;
    }
    expect(aborted).toBe(true);
    await expect.poll(() => tf.memory().numTensors, { timeout: 10_000 }).toBe(before);
  });

  it('also reaches the handler through its OpenAI-compatible provider', async () => {
    const handler = openAiHandler({ models: { guarded: test.served } });
    const provider = createOpenAICompatible({
      name: 'local',
      baseURL: 'http://local/v1',
      fetch: (input, init) => handler(new Request(input, init)),
      includeUsage: true,
    });
    const direct = await generateText({ model: model(), ...ask });
    const result = streamText({ model: provider('guarded'), ...ask, temperature: 0 });
    expect(await result.text).toBe(direct.text);
    expect(await result.finishReason).toBe('length');
    expect(await result.usage).toMatchObject({ inputTokens: 32, outputTokens: 12 });
  });
});
