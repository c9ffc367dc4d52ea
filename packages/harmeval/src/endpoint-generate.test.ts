import { afterEach, describe, expect, it } from 'vitest';
import { endpointGenerate, retryAfter } from './endpoint-generate.ts';
import type { GenerateRequest } from './generate.ts';
import { callQueue, generateRows } from './generate-rows.ts';
import {
  type EndpointReply,
  type EndpointRequest,
  type ScriptedEndpoint,
  scriptedEndpoint,
} from './mock/scripted-endpoint.ts';

const policy = { retries: 3, baseDelayMs: 1, maxDelayMs: 2000, attemptTimeoutMs: 20_000 };
let endpoint: ScriptedEndpoint | undefined;

afterEach(async () => {
  await endpoint?.close();
});

const request = (content: string): GenerateRequest => ({
  id: content,
  prompt: { kind: 'chat', messages: [{ role: 'user', content }] },
  sampling: { temperature: 0, maxNewTokens: 9, stop: ['\n'] },
  seed: 0xffff_ffff,
});

async function ask(
  script: (body: EndpointRequest, attempt: number) => EndpointReply,
  contents: readonly string[] = ['hello'],
  options: Partial<Parameters<typeof endpointGenerate>[0]> = {},
  attemptTimeoutMs = policy.attemptTimeoutMs,
) {
  endpoint = await scriptedEndpoint(script);
  const generate = endpointGenerate({ baseUrl: endpoint.baseUrl, model: 'm', ...options });
  const outcomes = await generateRows({
    generate,
    requests: contents.map(request),
    policy: { ...policy, attemptTimeoutMs },
    signal: undefined,
    queue: callQueue(generate),
  });
  return { outcomes, requests: endpoint.requests, generate };
}

describe('endpointGenerate', () => {
  it('sends messages, sampling, a signed seed and the key, and reads text and usage', async () => {
    const { outcomes, requests, generate } = await ask(() => ({ say: 'hi' }), ['hello'], {
      apiKey: 'secret',
    });
    expect(outcomes[0]).toEqual({
      ok: true,
      attempts: 1,
      result: { text: 'hi', finishReason: 'stop', usage: { tokensIn: 7, tokensOut: 3 } },
    });
    expect(requests[0]?.body).toEqual({
      model: 'm',
      messages: [{ role: 'user', content: 'hello' }],
      temperature: 0,
      max_tokens: 9,
      stop: ['\n'],
      seed: 0x7fff_ffff,
    });
    expect(requests[0]?.authorization).toBe('Bearer secret');
    expect(generate.fingerprint).toContain(':m');
    expect(generate.fingerprint).not.toContain('secret');
  });

  it('waits as long as Retry-After says', async () => {
    const { outcomes, requests } = await ask((_, attempt) =>
      attempt === 1 ? { status: 429, headers: { 'retry-after': '0.4' } } : { say: 'ok' },
    );
    expect(outcomes[0]).toMatchObject({ ok: true, attempts: 2 });
    expect((requests[1]?.at ?? 0) - (requests[0]?.at ?? 0)).toBeGreaterThan(380);
  });

  it.each<[string, EndpointReply]>([
    ['a server error', { status: 503 }],
    ['no JSON', { raw: '<html>' }],
    ['JSON of another kind', { raw: '{"choices":[]}' }],
    ['a dropped connection', 'drop'],
    ['silence', 'hang'],
  ])('tries again after %s', async (_, fault) => {
    const { outcomes } = await ask(
      (__, attempt) => (attempt < 3 ? fault : { say: 'ok' }),
      ['hello'],
      {},
      // Long enough for a loaded machine to answer, short enough to wait for twice.
      fault === 'hang' ? 1500 : policy.attemptTimeoutMs,
    );
    expect(outcomes[0]).toMatchObject({ ok: true, attempts: 3 });
  });

  it.each<[string, EndpointReply, string]>([
    ['a wrong key', { status: 401 }, 'permanent'],
    ['a wrong request', { status: 400 }, 'permanent'],
    [
      'a content policy',
      { status: 400, body: '{"error":{"code":"content_filter"}}' },
      'content_filter',
    ],
  ])('does not try again after %s', async (_, reply, failureClass) => {
    const { outcomes, requests } = await ask(() => reply);
    expect(outcomes[0]).toMatchObject({ ok: false, attempts: 1, failureClass });
    expect(requests).toHaveLength(1);
  });

  it('keeps requests in flight up to its concurrency, and answers in order', async () => {
    const contents = Array.from({ length: 12 }, (_, i) => `q${i}`);
    const { outcomes } = await ask(
      ({ messages }) => ({ say: `re ${messages[0]?.content ?? ''}` }),
      contents,
      { concurrency: 5 },
    );
    expect(outcomes.map((outcome) => (outcome.ok ? outcome.result.text : ''))).toEqual(
      contents.map((content) => `re ${content}`),
    );
  });

  it('starts no more requests in a minute than allowed', async () => {
    endpoint = await scriptedEndpoint(() => ({ say: 'ok' }));
    const generate = endpointGenerate({
      baseUrl: endpoint.baseUrl,
      model: 'm',
      requestsPerMinute: 3,
    });
    const calls = ['a', 'b', 'c', 'd'].map((content) => generate([request(content)], {}));
    calls[3]?.catch(() => undefined);
    await Promise.all(calls.slice(0, 3));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(endpoint.requests).toHaveLength(3);
  });
});

describe('retryAfter', () => {
  it('reads seconds and dates', () => {
    expect(retryAfter('2')).toBe(2000);
    expect(retryAfter('Wed, 21 Oct 2026 07:28:10 GMT', Date.UTC(2026, 9, 21, 7, 28, 0))).toBe(
      10_000,
    );
    expect(retryAfter(null)).toBeUndefined();
    expect(retryAfter('soon')).toBeUndefined();
  });
});
