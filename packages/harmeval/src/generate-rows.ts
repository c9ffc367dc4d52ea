// Calls the generator for rows so that one bad row never costs its neighbours.
import { setMaxListeners } from 'node:events';
import PQueue from 'p-queue';
import type { Generate, GenerateRequest, GenerateResult } from './generate.ts';
import { type FailureClass, failureClassOf, GenerateFailure } from './generate-failure.ts';
import { throwIfAborted } from './harm-eval-error.ts';
import { RetriesExhausted, type RetryPolicy, withRetries } from './retry-policy.ts';

export type RowOutcome =
  | { readonly ok: true; readonly result: GenerateResult; readonly attempts: number }
  | {
      readonly ok: false;
      readonly failureClass: FailureClass;
      readonly message: string;
      readonly attempts: number;
    };

export interface GenerateRowsOptions {
  readonly generate: Generate;
  readonly requests: readonly GenerateRequest[];
  readonly policy: RetryPolicy;
  readonly signal: AbortSignal | undefined;
  /** Shared by all callers of one generator, so that its concurrency holds over all of them. */
  readonly queue: PQueue;
}

/** The queue of a generator: as many calls at once as it declares, or as the caller decides. */
export function callQueue(generate: Generate, concurrency?: number): PQueue {
  return new PQueue({ concurrency: concurrency ?? generate.concurrency ?? 1 });
}

/**
 * One outcome per request, in order. A batch is tried once as a whole; when that fails, every row of it is tried alone
 * under the retry policy, so a poisonous row fails by itself.
 */
export async function generateRows(options: GenerateRowsOptions): Promise<readonly RowOutcome[]> {
  const { generate, requests, queue, signal } = options;
  // Every call in flight listens to the one signal; Node would warn of a leak at the eleventh.
  if (signal !== undefined) setMaxListeners(0, signal);
  const size = generate.batchSize ?? 1;
  const batches: (readonly GenerateRequest[])[] = [];
  for (let from = 0; from < requests.length; from += size) {
    batches.push(requests.slice(from, from + size));
  }
  const outcomes = await Promise.all(
    batches.map((batch) => queue.add(() => generateBatch(batch, options))),
  );
  return outcomes.flat();
}

async function generateBatch(
  batch: readonly GenerateRequest[],
  options: GenerateRowsOptions,
): Promise<readonly RowOutcome[]> {
  const { generate, policy, signal } = options;
  throwIfAborted(signal);
  if (batch.length > 1) {
    try {
      const { value } = await withRetries((inner) => call(generate, batch, inner), {
        policy: { ...policy, retries: 0 },
        signal,
      });
      return value.map((result) => ({ ok: true, result, attempts: 1 }));
    } catch (error) {
      if (!(error instanceof RetriesExhausted)) throw error;
    }
  }
  const wasted = batch.length > 1 ? 1 : 0;
  const outcomes: RowOutcome[] = [];
  for (const request of batch) outcomes.push(await generateAlone(request, wasted, options));
  return outcomes;
}

async function generateAlone(
  request: GenerateRequest,
  wasted: number,
  options: GenerateRowsOptions,
): Promise<RowOutcome> {
  const { generate, policy, signal } = options;
  throwIfAborted(signal);
  try {
    const { value, attempts } = await withRetries((inner) => call(generate, [request], inner), {
      policy,
      signal,
    });
    return { ok: true, result: value[0] as GenerateResult, attempts: attempts + wasted };
  } catch (error) {
    if (!(error instanceof RetriesExhausted)) throw error;
    return {
      ok: false,
      failureClass: failureClassOf(error.cause),
      message: error.message,
      attempts: error.attempts + wasted,
    };
  }
}

async function call(
  generate: Generate,
  requests: readonly GenerateRequest[],
  signal: AbortSignal,
): Promise<readonly GenerateResult[]> {
  const results: unknown = await generate(requests, { signal });
  if (!Array.isArray(results) || results.length !== requests.length) {
    throw new GenerateFailure('the generator did not return one result per request', {
      failureClass: 'transient',
    });
  }
  const malformed = results.findIndex((result: unknown) => !isGenerateResult(result));
  if (malformed >= 0) {
    throw new GenerateFailure(`result ${malformed} has no text or no known finish reason`, {
      failureClass: 'transient',
    });
  }
  return results as readonly GenerateResult[];
}

/** True for a value with a text and a known finish reason: what a cache or a generator may hand on. */
export function isGenerateResult(value: unknown): value is GenerateResult {
  if (typeof value !== 'object' || value === null) return false;
  const { text, finishReason } = value as Partial<GenerateResult>;
  return (
    typeof text === 'string' &&
    (finishReason === 'stop' || finishReason === 'length' || finishReason === 'content_filter')
  );
}
