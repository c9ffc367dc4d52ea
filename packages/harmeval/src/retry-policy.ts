// One retry rule for models and judges: exponential backoff, Retry-After, a time limit per attempt, counted attempts.
import { setTimeout as sleep } from 'node:timers/promises';
import pRetry, { AbortError } from 'p-retry';
import { failureClassOf, GenerateFailure } from './generate-failure.ts';
import { throwIfAborted } from './harm-eval-error.ts';

export interface RetryPolicy {
  /** Attempts after the first one. */
  readonly retries: number;
  /** Wait before the first retry; doubles each time. Milliseconds. */
  readonly baseDelayMs: number;
  readonly maxDelayMs: number;
  /** A single attempt that takes longer is abandoned and counts as transient. Milliseconds; 0 means no limit. */
  readonly attemptTimeoutMs: number;
}

/** 4 retries after 1, 2, 4 and 8 seconds ride out the usual rate-limit windows; two minutes bound a hung request. */
export const defaultRetryPolicy: RetryPolicy = {
  retries: 4,
  baseDelayMs: 1000,
  maxDelayMs: 30_000,
  attemptTimeoutMs: 120_000,
};

export interface Attempted<T> {
  readonly value: T;
  /** Attempts made, including the one that succeeded. */
  readonly attempts: number;
}

/** Thrown when every attempt failed; carries how many there were. */
export class RetriesExhausted extends Error {
  readonly attempts: number;

  constructor(attempts: number, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.name = 'RetriesExhausted';
    this.attempts = attempts;
  }
}

/**
 * Runs `attempt` until it succeeds or the policy is used up. `content_filter` and `permanent` failures end at once.
 * An abort of `signal` always surfaces as `ABORTED`, never as a failure of the model.
 */
export async function withRetries<T>(
  attempt: (signal: AbortSignal) => Promise<T>,
  options: {
    readonly policy: RetryPolicy;
    readonly signal?: AbortSignal | undefined;
    readonly onFailure?: ((error: unknown, attempt: number) => void) | undefined;
  },
): Promise<Attempted<T>> {
  const { policy, signal, onFailure } = options;
  let attempts = 0;
  try {
    const value = await pRetry(
      async () => {
        throwIfAborted(signal);
        attempts += 1;
        try {
          return await withinTime(attempt, policy.attemptTimeoutMs, signal);
        } catch (error) {
          throwIfAborted(signal);
          onFailure?.(error, attempts);
          const kind = failureClassOf(error);
          // p-retry treats TypeErrors specially; wrapping keeps one rule for everything that is thrown.
          const wrapped = new Error('attempt failed', { cause: error });
          if (kind === 'permanent' || kind === 'content_filter') throw new AbortError(wrapped);
          throw wrapped;
        }
      },
      {
        retries: policy.retries,
        factor: 2,
        minTimeout: policy.baseDelayMs,
        maxTimeout: policy.maxDelayMs,
        randomize: false,
        signal,
        onFailedAttempt: async ({ error, retriesLeft }) => {
          const cause = error.cause;
          if (retriesLeft === 0 || !GenerateFailure.isInstance(cause)) return;
          const wait = Math.min(cause.retryAfterMs ?? 0, policy.maxDelayMs);
          if (wait > 0) await sleep(wait, undefined, signal === undefined ? {} : { signal });
        },
      },
    );
    return { value, attempts };
  } catch (error) {
    throwIfAborted(signal);
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    throw new RetriesExhausted(attempts, cause);
  }
}

async function withinTime<T>(
  attempt: (signal: AbortSignal) => Promise<T>,
  limitMs: number,
  outer: AbortSignal | undefined,
): Promise<T> {
  const controller = new AbortController();
  const onOuter = () => controller.abort(outer?.reason);
  outer?.addEventListener('abort', onOuter, { once: true });
  let timer: NodeJS.Timeout | undefined;
  // A hung call may ignore its signal, so the wait itself is raced, not only the request.
  const abandoned = new Promise<never>((_, reject) => {
    controller.signal.addEventListener('abort', () => reject(controller.signal.reason), {
      once: true,
    });
    if (limitMs > 0) {
      timer = setTimeout(() => {
        controller.abort(
          new GenerateFailure(`no answer within ${limitMs} ms`, { failureClass: 'transient' }),
        );
      }, limitMs);
    }
  });
  try {
    return await Promise.race([attempt(controller.signal), abandoned]);
  } finally {
    clearTimeout(timer);
    outer?.removeEventListener('abort', onOuter);
  }
}
