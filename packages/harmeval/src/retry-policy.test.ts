import { describe, expect, it } from 'vitest';
import { GenerateFailure } from './generate-failure.ts';
import { HarmEvalError } from './harm-eval-error.ts';
import { RetriesExhausted, withRetries } from './retry-policy.ts';

const policy = { retries: 2, baseDelayMs: 20, maxDelayMs: 100, attemptTimeoutMs: 50 };

async function timed<T>(run: () => Promise<T>): Promise<{ result: unknown; ms: number }> {
  const start = performance.now();
  const result: unknown = await run().catch((error: unknown) => error);
  return { result, ms: performance.now() - start };
}

describe('withRetries', () => {
  it('waits twice as long each time and gives up after the last retry', async () => {
    let calls = 0;
    const { result, ms } = await timed(() =>
      withRetries(
        async () => {
          calls += 1;
          throw new TypeError('no');
        },
        { policy },
      ),
    );
    expect(calls).toBe(3);
    expect(result).toBeInstanceOf(RetriesExhausted);
    expect(result).toMatchObject({ attempts: 3, message: 'no' });
    expect(ms).toBeGreaterThan(55);
  });

  it('waits at least as long as it was told, within its own limit', async () => {
    let calls = 0;
    const limited = new GenerateFailure('later', { failureClass: 'rate_limit', retryAfterMs: 70 });
    const { result, ms } = await timed(() =>
      withRetries(
        async () => {
          calls += 1;
          if (calls === 1) throw limited;
          return 'done';
        },
        { policy },
      ),
    );
    expect(result).toEqual({ value: 'done', attempts: 2 });
    expect(ms).toBeGreaterThan(69);
  });

  it.each(['permanent', 'content_filter'] as const)('does not repeat what is %s', async (kind) => {
    let calls = 0;
    const { result } = await timed(() =>
      withRetries(
        async () => {
          calls += 1;
          throw new GenerateFailure('never', { failureClass: kind });
        },
        { policy },
      ),
    );
    expect([calls, (result as RetriesExhausted).attempts]).toEqual([1, 1]);
  });

  it('abandons an attempt that hangs and ignores its signal', async () => {
    const { result, ms } = await timed(() =>
      withRetries(() => new Promise<never>(() => undefined), { policy: { ...policy, retries: 1 } }),
    );
    expect(result).toMatchObject({ attempts: 2, message: 'no answer within 50 ms' });
    expect(ms).toBeLessThan(20_000);
  });

  it('reports an abort as an abort, also while it waits', async () => {
    const controller = new AbortController();
    setTimeout(() => controller.abort('stop'), 10);
    const { result } = await timed(() =>
      withRetries(
        async () => {
          throw new Error('no');
        },
        {
          policy: { ...policy, baseDelayMs: 10_000, maxDelayMs: 10_000 },
          signal: controller.signal,
        },
      ),
    );
    expect(HarmEvalError.isInstance(result) && [result.code, result.cause]).toEqual([
      'ABORTED',
      'stop',
    ]);
  });
});
