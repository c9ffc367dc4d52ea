// The handler behind a real HTTP server, asked by the real `openai` client.
import '@tensorflow/tfjs-backend-cpu';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import * as tf from '@tensorflow/tfjs-core';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Scheduler } from '../batching/scheduler.ts';
import { plain } from '../recipes/baselines.ts';
import { generate } from '../run/generate.ts';
import { type Served, servedModel } from './clients.fixture.ts';
import { openAiHandler } from './openai-handler.ts';

// Real forwards in plain JavaScript: minutes on a busy machine.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

let test: Served;
let scheduler: Scheduler;
let server: Server;
let client: OpenAI;
let url: string;
const messages = [{ role: 'user' as const, content: 'Say something.' }];
const base = { model: 'guarded', messages, max_completion_tokens: 12 };

beforeAll(async () => {
  await tf.setBackend('cpu');
  test = servedModel();
  scheduler = new Scheduler({ maxRows: 64, maxQueue: 4 });
  const models = {
    guarded: test.served,
    'guarded:plain': { ...test.served, plan: plain({ model: test.twin }) },
  };
  const handler = openAiHandler({ models, engine: scheduler, pingMs: 5, timeoutMs: 60_000 });
  server = createServer((incoming, outgoing) => {
    const controller = new AbortController();
    outgoing.on('close', () => controller.abort());
    const body =
      incoming.method === 'POST'
        ? { body: Readable.toWeb(incoming) as ReadableStream, duplex: 'half' }
        : {};
    const request = new Request(`http://local${incoming.url}`, {
      method: incoming.method ?? 'GET',
      headers: Object.fromEntries(
        Object.entries(incoming.headers).map(([name, value]) => [name, String(value)]),
      ),
      signal: controller.signal,
      ...body,
    } as RequestInit);
    void handler(request).then((response) => {
      outgoing.writeHead(response.status, Object.fromEntries(response.headers));
      if (response.body === null) outgoing.end();
      else Readable.fromWeb(response.body as Parameters<typeof Readable.fromWeb>[0]).pipe(outgoing);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, resolve));
  url = `http://localhost:${(server.address() as AddressInfo).port}/v1`;
  client = new OpenAI({ baseURL: url, apiKey: 'none', maxRetries: 0 });
});
afterAll(async () => {
  await new Promise((resolve) => server.close(resolve));
  await scheduler[Symbol.asyncDispose]();
  test[Symbol.dispose]();
});

describe('chat completions for the openai client', () => {
  it('answers as the run itself does, with usage', async () => {
    const answer = await client.chat.completions.create({ ...base, temperature: 0 });
    const { completions } = await generate({
      plan: test.served.plan,
      prompts: ['user: Say something.\nassistant: '],
      maxNewTokens: 12,
    });
    expect(answer.choices[0]?.message.content).toBe(completions[0]?.text);
    expect(answer.choices[0]?.finish_reason).toBe('length');
    expect(answer.object).toBe('chat.completion');
    expect(answer.usage).toMatchObject({
      prompt_tokens: 32,
      completion_tokens: 12,
      total_tokens: 44,
    });
  });

  it('streams the same text, usage last and only when asked for', async () => {
    const whole = await client.chat.completions.create({ ...base, seed: 5 });
    const read = async (options: object) => {
      const parts = await client.chat.completions.create({
        ...base,
        seed: 5,
        stream: true,
        ...options,
      });
      const list: OpenAI.ChatCompletionChunk[] = [];
      for await (const part of parts) list.push(part);
      return list;
    };
    const chunks = await read({ stream_options: { include_usage: true } });
    const text = chunks.map((c) => c.choices[0]?.delta.content ?? '').join('');
    expect(text).toBe(whole.choices[0]?.message.content);
    expect(chunks[0]?.choices[0]?.delta).toEqual({ role: 'assistant', content: '' });
    expect(chunks.at(-1)?.choices).toEqual([]);
    expect(chunks.at(-1)?.usage).toMatchObject({ completion_tokens: 12 });
    expect(chunks.slice(0, -1).every((c) => c.usage === null)).toBe(true);
    expect(chunks.at(-2)?.choices[0]).toMatchObject({ delta: {}, finish_reason: 'length' });
    expect(new Set(chunks.map((c) => c.id)).size).toBe(1);
    const without = await read({});
    expect(without.some((c) => c.usage !== undefined)).toBe(false);
    expect(without.at(-1)?.choices[0]?.finish_reason).toBe('length');
  });

  it('gives n choices told apart by index, streamed too', async () => {
    const answer = await client.chat.completions.create({ ...base, n: 3, seed: 1 });
    expect(answer.choices.map((c) => c.index)).toEqual([0, 1, 2]);
    const texts = answer.choices.map((c) => c.message.content);
    expect(new Set(texts).size).toBe(3);
    expect(answer.usage?.completion_tokens).toBe(36);
    const streamed = ['', '', ''];
    for await (const chunk of await client.chat.completions.create({
      ...base,
      n: 3,
      seed: 1,
      stream: true,
    })) {
      for (const choice of chunk.choices) streamed[choice.index] += choice.delta.content ?? '';
    }
    expect(streamed).toEqual(texts);
  });

  it('reports logprobs of the final distribution, every token once in a stream', async () => {
    const answer = await client.chat.completions.create({
      ...base,
      temperature: 0,
      logprobs: true,
      top_logprobs: 2,
    });
    const content = answer.choices[0]?.logprobs?.content ?? [];
    expect(content).toHaveLength(12);
    expect(content.map((c) => c.token).join('')).toBe(answer.choices[0]?.message.content);
    for (const item of content) {
      expect(item.top_logprobs).toHaveLength(2);
      expect(item.logprob).toBe(item.top_logprobs[0]?.logprob);
      expect(item.logprob).toBeLessThanOrEqual(0);
      expect(item.bytes).toEqual([item.token.charCodeAt(0)]);
    }
    const streamed: unknown[] = [];
    const options = {
      ...base,
      temperature: 0,
      logprobs: true,
      top_logprobs: 2,
      stream: true,
    } as const;
    for await (const chunk of await client.chat.completions.create(options)) {
      streamed.push(...(chunk.choices[0]?.logprobs?.content ?? []));
    }
    expect(streamed).toEqual(content);
  });

  it('stops at strings, biases tokens, takes own options and reports statistics', async () => {
    const free = await client.chat.completions.create({ ...base, temperature: 0 });
    const text = free.choices[0]?.message.content as string;
    const stop = text.slice(4, 6);
    const stopped = await client.chat.completions.create({ ...base, temperature: 0, stop });
    expect(stopped.choices[0]?.message.content).toBe(text.slice(0, text.indexOf(stop)));
    expect(stopped.choices[0]?.finish_reason).toBe('stop');
    const biased = await client.chat.completions.create({ ...base, logit_bias: { 33: 100 } });
    expect(biased.choices[0]?.message.content).toBe('@'.repeat(12));
    const own = { ...base, temperature: 0, guided: { speculate: 3, attribution: 'chosen' } };
    const guided = await client.chat.completions.create(own as typeof base);
    expect(guided.choices[0]?.message.content).toBe(text);
    const extra = guided as unknown as {
      guided: { stats: { terms: Record<string, { accepted: number }> } };
      choices: { guided: { tokens: object[] } }[];
    };
    expect(extra.guided.stats.terms['unsafe']?.accepted).toBeGreaterThan(0);
    expect(extra.choices[0]?.guided.tokens).toHaveLength(12);
  });

  it('answers in JSON when asked to', async () => {
    const schema = {
      type: 'object',
      properties: { ok: { type: 'boolean' } },
      required: ['ok'],
      additionalProperties: false,
    };
    const answer = await client.chat.completions.create({
      ...base,
      max_completion_tokens: 40,
      response_format: { type: 'json_schema', json_schema: { name: 'x', schema } },
    });
    expect(JSON.parse(answer.choices[0]?.message.content as string)).toEqual({
      ok: expect.any(Boolean),
    });
    expect(answer.choices[0]?.finish_reason).toBe('stop');
  });

  it.each<[string, object, number, string | null, string]>([
    ['an unknown model', { model: 'nope' }, 404, 'model', 'model_not_found'],
    ['no messages', { messages: [] }, 400, 'messages', 'invalid_value'],
    ['a temperature of 3', { temperature: 3 }, 400, 'temperature', 'invalid_value'],
    ['five stop strings', { stop: ['a', 'b', 'c', 'd', 'e'] }, 400, 'stop', 'invalid_value'],
    ['an empty stop string', { stop: '' }, 400, null, 'bad_argument'],
    ['an unknown field', { topk: 3 }, 400, 'topk', 'unknown_parameter'],
    ['top_logprobs alone', { top_logprobs: 3 }, 400, 'top_logprobs', 'invalid_value'],
    [
      'tools',
      { tools: [{ type: 'function', function: { name: 'f' } }] },
      400,
      'tools',
      'invalid_value',
    ],
    [
      'an image',
      { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'x' } }] }] },
      400,
      'messages.0.content',
      'invalid_value',
    ],
    [
      'a prompt beyond the context',
      { messages: [{ role: 'user', content: 'x'.repeat(400) }] },
      400,
      null,
      'context_length_exceeded',
    ],
    [
      'a schema without solution',
      {
        response_format: { type: 'json_schema', json_schema: { name: 'x', schema: { enum: [] } } },
      },
      400,
      null,
      'bad_argument',
    ],
  ])('refuses %s', async (_name, wrong, status, param, code) => {
    const error = await client.chat.completions
      .create({ ...base, ...wrong } as typeof base)
      .catch((e: unknown) => e);
    expect(error).toBeInstanceOf(OpenAI.APIError);
    expect(error).toMatchObject({ status, param, code });
    const streamed = await client.chat.completions
      .create({ ...base, ...wrong, stream: true } as typeof base)
      .catch((e: unknown) => e);
    expect(streamed).toMatchObject({ status, code });
  });

  it('lists models, refuses other paths and broken JSON', async () => {
    const models = await client.models.list();
    expect(models.data.map((m) => m.id)).toEqual(['guarded', 'guarded:plain']);
    expect((await fetch(`${url}/embeddings`, { method: 'POST', body: '{}' })).status).toBe(404);
    const broken = await fetch(`${url}/chat/completions`, { method: 'POST', body: '{' });
    expect(broken.status).toBe(400);
    expect(await broken.json()).toMatchObject({ error: { code: 'invalid_json' } });
  });

  it('ends the run when the client goes away, and leaves no tensors', async () => {
    await new Promise((resolve) => setTimeout(resolve, 50));
    const before = tf.memory().numTensors;
    const stream = await client.chat.completions.create({
      ...base,
      max_completion_tokens: 150,
      stream: true,
    });
    let seen = 0;
    for await (const _ of stream) if (++seen === 4) break;
    await expect.poll(() => tf.memory().numTensors, { timeout: 10_000 }).toBe(before);
  });

  it('tells of a failure in the middle of a stream as the client expects', async () => {
    const errors: unknown[] = [];
    const processors = [
      {
        name: 'breaks',
        effect: 'monotone' as const,
        apply: (_: unknown, { step }: { step: number }) => {
          if (step === 3) throw new Error('processor failed');
        },
      },
    ];
    const failing = { ...test.served, defaults: { ...test.served.defaults, processors } };
    const handler = openAiHandler({
      models: { guarded: failing },
      onError: (error) => errors.push(error),
    });
    const local = new OpenAI({
      baseURL: 'http://local/v1',
      apiKey: 'none',
      maxRetries: 0,
      fetch: (input, init) => handler(new Request(input as string, init as RequestInit)),
    });
    const before = tf.memory().numTensors;
    let seen = 0;
    const stream = await local.chat.completions.create({ ...base, stream: true });
    const read = (async () => {
      for await (const chunk of stream) if (chunk.choices[0]?.delta.content !== '') seen++;
    })();
    await expect(read).rejects.toBeInstanceOf(OpenAI.APIError);
    expect(seen).toBeGreaterThan(0);
    expect(errors).toHaveLength(1);
    await expect(local.chat.completions.create(base)).rejects.toMatchObject({ status: 500 });
    expect(tf.memory().numTensors).toBe(before);
  });

  it('sends valid events with pings between them', async () => {
    const response = await fetch(`${url}/chat/completions`, {
      method: 'POST',
      body: JSON.stringify({ ...base, max_completion_tokens: 60, stream: true }),
    });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    const events = (await response.text()).split('\n\n').filter((e) => e !== '');
    expect(events.at(-1)).toBe('data: [DONE]');
    expect(events.some((e) => e.startsWith(': '))).toBe(true);
    for (const event of events.slice(0, -1)) {
      if (event.startsWith('data: ')) JSON.parse(event.slice(6));
      else expect(event).toMatch(/^: /);
    }
  });
});

describe('completions for the openai client', () => {
  const ask = { model: 'guarded', prompt: 'Say it', max_tokens: 8, temperature: 0 };

  it('continues a text as the run itself does, whole and streamed', async () => {
    const { completions } = await generate({
      plan: test.served.plan,
      prompts: ['Say it'],
      maxNewTokens: 8,
    });
    const answer = await client.completions.create(ask);
    expect(answer.choices).toMatchObject([
      { index: 0, text: completions[0]?.text, finish_reason: 'length', logprobs: null },
    ]);
    expect(answer.usage).toMatchObject({ prompt_tokens: 6, completion_tokens: 8 });
    const chunks: OpenAI.Completion[] = [];
    const options = { include_usage: true };
    for await (const chunk of await client.completions.create({
      ...ask,
      stream: true,
      stream_options: options,
    }))
      chunks.push(chunk);
    expect(chunks.map((c) => c.choices[0]?.text ?? '').join('')).toBe(completions[0]?.text);
    expect(chunks.at(-2)?.choices[0]?.finish_reason).toBe('length');
    expect(chunks.at(-1)?.usage).toMatchObject({ total_tokens: 14 });
  });

  it('takes several prompts, as text or as tokens, with n answers each', async () => {
    const prompt = ['one', 'second'];
    const options = { model: 'guarded', max_tokens: 4, n: 2, seed: 4 };
    const answer = await client.completions.create({ ...options, prompt });
    expect(answer.choices.map((c) => c.index)).toEqual([0, 1, 2, 3]);
    const ids = prompt.map((text) => Array.from(text, (c) => c.charCodeAt(0) - 31));
    const again = await client.completions.create({ ...options, prompt: ids });
    expect(again.choices.map((c) => c.text)).toEqual(answer.choices.map((c) => c.text));
    expect(answer.usage).toMatchObject({ prompt_tokens: 9, completion_tokens: 16 });
  });

  it('echoes the prompt with log-probabilities, for harnesses that score texts', async () => {
    const free = await client.completions.create({ ...ask, logprobs: 2 });
    const text = free.choices[0]?.text as string;
    const scored = await client.completions.create({
      ...ask,
      prompt: ask.prompt + text,
      max_tokens: 0,
      logprobs: 2,
      echo: true,
    });
    const own = free.choices[0]?.logprobs;
    const echoed = scored.choices[0]?.logprobs;
    expect(scored.choices[0]?.text).toBe(ask.prompt + text);
    expect(echoed?.tokens).toEqual([...(ask.prompt + text)]);
    expect(echoed?.token_logprobs?.[0]).toBeNull();
    expect(echoed?.text_offset).toEqual(Array.from({ length: 14 }, (_, i) => i));
    own?.token_logprobs?.forEach((value, i) => {
      expect(echoed?.token_logprobs?.[6 + i]).toBeCloseTo(value, 3);
    });
    const both = await client.completions.create({ ...ask, logprobs: 2, echo: true });
    expect(both.choices[0]?.text).toBe(ask.prompt + text);
    expect(both.choices[0]?.logprobs?.tokens).toHaveLength(14);
    const parts: string[] = [];
    const streaming = { ...ask, logprobs: 2, echo: true, stream: true } as const;
    for await (const chunk of await client.completions.create(streaming))
      parts.push(...(chunk.choices[0]?.logprobs?.tokens ?? []));
    expect(parts.join('')).toBe(ask.prompt + text);
  });

  it('switches the guard by field or header', async () => {
    const body = { ...base, temperature: 0 };
    const plainText = (await client.chat.completions.create({ ...body, model: 'guarded:plain' }))
      .choices[0]?.message.content;
    const guardedText = (await client.chat.completions.create(body)).choices[0]?.message.content;
    expect(guardedText).not.toBe(plainText);
    const field = await client.chat.completions.create({ ...body, guard: 'plain' } as typeof body);
    const header = await client.chat.completions.create(body, { headers: { 'x-guard': 'plain' } });
    for (const answer of [field, header]) {
      expect(answer.model).toBe('guarded:plain');
      expect(answer.choices[0]?.message.content).toBe(plainText);
    }
    const unknown = client.chat.completions.create({ ...body, guard: 'none' } as typeof body);
    await expect(unknown).rejects.toMatchObject({ status: 404, code: 'model_not_found' });
  });

  it.each<[string, object, string]>([
    ['a suffix', { suffix: 'x' }, 'suffix'],
    ['best_of', { best_of: 3 }, 'best_of'],
    ['nothing to do', { max_tokens: 0 }, 'max_tokens'],
    ['no prompt', { prompt: undefined }, 'prompt'],
    ['an empty list', { prompt: [] }, 'prompt'],
  ])('refuses %s', async (_name, wrong, param) => {
    const error = client.completions.create({ ...ask, ...wrong } as typeof ask);
    await expect(error).rejects.toMatchObject({ status: 400, param });
  });

  it('answers 429 when the queue is full, and goes on', async () => {
    const busy = { ...base, max_completion_tokens: 8, n: 8 };
    const results = await Promise.allSettled(
      Array.from({ length: 12 }, () => client.chat.completions.create(busy)),
    );
    const refused = results.flatMap((r) => (r.status === 'rejected' ? [r.reason] : []));
    expect(refused.length).toBeGreaterThan(0);
    for (const error of refused) {
      expect(error).toMatchObject({ status: 429, code: 'busy' });
      expect(Number((error as { headers: Headers }).headers.get('retry-after'))).toBeGreaterThan(0);
    }
    expect(results.length - refused.length).toBeGreaterThanOrEqual(8);
    expect((await client.chat.completions.create(base)).choices).toHaveLength(1);
  });
});
