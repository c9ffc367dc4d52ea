// Calls the generator for a batch of rows so that one bad row never costs its neighbours.

import type { Generate, GenerateRequest, GenerateResult } from '../generate.ts';
import { type FailureClass, failureClassOf, GenerateFailure } from '../generate-failure.ts';
import { throwIfAborted } from '../harm-eval-error.ts';
import { RetriesExhausted, type RetryPolicy, withRetries } from '../retry-policy.ts';

export type RowOutcome =
  | { readonly ok: true; readonly result: GenerateResult; readonly attempts: number }
  | {
      readonly ok: false;
      readonly failureClass: FailureClass;
      readonly message: string;
      readonly attempts: number;
    };

/**
 * One outcome per request, in order. The batch is tried once as a whole; when that fails, every row is tried alone under
 * the retry policy, so a poisonous row fails by itself.
 */
export async function generateRows(options: {
  readonly generate: Generate;
  readonly requests: readonly GenerateRequest[];
  readonly policy: RetryPolicy;
  readonly signal: AbortSignal | undefined;
}): Promise<readonly RowOutcome[]> {
  const { generate, requests, policy, signal } = options;
  if (requests.length > 1) {
    try {
      const { value } = await withRetries((inner) => call(generate, requests, inner), {
        policy: { ...policy, retries: 0 },
        signal,
      });
      return value.map((result) => ({ ok: true, result, attempts: 1 }));
    } catch (error) {
      if (!(error instanceof RetriesExhausted)) throw error;
    }
  }
  const wasted = requests.length > 1 ? 1 : 0;
  const outcomes: RowOutcome[] = [];
  for (const request of requests) {
    throwIfAborted(signal);
    try {
      const { value, attempts } = await withRetries((inner) => call(generate, [request], inner), {
        policy,
        signal,
      });
      outcomes.push({
        ok: true,
        result: value[0] as GenerateResult,
        attempts: attempts + wasted,
      });
    } catch (error) {
      if (!(error instanceof RetriesExhausted)) throw error;
      outcomes.push({
        ok: false,
        failureClass: failureClassOf(error.cause),
        message: error.message,
        attempts: error.attempts + wasted,
      });
    }
  }
  return outcomes;
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
  const malformed = results.findIndex((result: unknown) => !isResult(result));
  if (malformed >= 0) {
    throw new GenerateFailure(`result ${malformed} has no text or no known finish reason`, {
      failureClass: 'transient',
    });
  }
  return results as readonly GenerateResult[];
}

function isResult(value: unknown): value is GenerateResult {
  if (typeof value !== 'object' || value === null) return false;
  const { text, finishReason } = value as Partial<GenerateResult>;
  return (
    typeof text === 'string' &&
    (finishReason === 'stop' || finishReason === 'length' || finishReason === 'content_filter')
  );
}
