import { afterEach, describe, expect, it } from 'vitest';
import { concurrencyController } from './adaptive-concurrency.ts';
import { endpointGenerate } from './endpoint-generate.ts';
import { callQueue, generateRows } from './generate-rows.ts';
import { type ScriptedEndpoint, scriptedEndpoint } from './mock/scripted-endpoint.ts';

let endpoint: ScriptedEndpoint | undefined;
afterEach(async () => {
  await endpoint?.close();
});

describe('concurrencyController', () => {
  it('adds a twentieth after each clean round and takes a fifth off, once per cooldown', () => {
    let clock = 0;
    const limits: number[] = [];
    const controller = concurrencyController(
      { start: 20, max: 22, cooldownMs: 100 },
      (limit) => limits.push(limit),
      () => clock,
    );
    const round = (): void => {
      for (let n = controller.limit(); n > 0; n -= 1) controller.succeeded();
    };
    for (let i = 0; i < 4; i += 1) round();
    expect(limits).toEqual([21, 22]);
    controller.rateLimited();
    clock = 99;
    controller.rateLimited();
    expect(controller.limit()).toBe(17);
    clock = 100;
    controller.rateLimited();
    expect(limits).toEqual([21, 22, 17, 13]);
  });

  it('never falls below one call, and a refused round does not count as clean', () => {
    const controller = concurrencyController({ start: 2, max: 4, cooldownMs: 0 }, () => undefined);
    controller.succeeded();
    for (let i = 0; i < 5; i += 1) controller.rateLimited();
    expect(controller.limit()).toBe(1);
    controller.succeeded();
    expect(controller.limit()).toBe(2);
  });
});

describe('endpointGenerate with an adaptive limit', () => {
  it('keeps fewer calls in flight after 429, loses no answer, and recovers', async () => {
    // Turns away whatever comes while it is "busy": its first five requests.
    let seen = 0;
    const limits: number[] = [];
    endpoint = await scriptedEndpoint(() => {
      seen += 1;
      return seen <= 5 ? { status: 429, headers: { 'retry-after': '0' } } : { say: 'hi' };
    });
    const generate = endpointGenerate({
      baseUrl: endpoint.baseUrl,
      model: 'm',
      concurrency: { start: 10, max: 12 },
      onConcurrency: (limit) => limits.push(limit),
    });
    expect(generate.concurrency).toBe(12);
    const outcomes = await generateRows({
      generate,
      requests: Array.from({ length: 60 }, (_, i) => ({
        id: String(i),
        prompt: { kind: 'chat', messages: [{ role: 'user', content: `question ${i}` }] },
        sampling: {},
        seed: i,
      })),
      policy: { retries: 5, baseDelayMs: 1, maxDelayMs: 50, attemptTimeoutMs: 20_000 },
      signal: undefined,
      queue: callQueue(generate),
    });
    expect(outcomes.filter(({ ok }) => ok)).toHaveLength(60);
    // One cut for the whole burst, then one more call after each clean round.
    expect(limits.slice(0, 2)).toEqual([8, 9]);
    expect(limits.at(-1)).toBeGreaterThan(9);
  });
});
