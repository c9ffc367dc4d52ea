// Parts of OpenAI's answers: log-probabilities, usage, errors.
import { SafeInferError } from '@safeinfer/backend';
import type { TextCodec } from '@safeinfer/transformer';
import type { FinishReason, TokenEvent, Usage } from '../run/events.ts';
import type { RunStats } from '../run/run-stats.ts';
import { RequestProblem } from './openai-request.ts';

export interface Envelope {
  readonly id: string;
  readonly created: number;
  readonly model: string;
}

/** Seconds after which a refused client may come back, when the engine does not say. */
const RETRY_AFTER = 1;

/** JSON has no -Infinity: OpenAI writes this for "very unlikely". */
export const VERY_UNLIKELY: number = -9999;

export function tokenText(codec: TextCodec | undefined, token: number): string {
  if (codec === undefined) return String(token);
  // Decoding alone can lose the space before a word; real tokenizers have a way around it.
  const own = (codec as { strTokens?: (ids: readonly number[]) => readonly string[] }).strTokens;
  return own === undefined ? codec.decode([token]) : (own.call(codec, [token])[0] ?? '');
}

function entry(codec: TextCodec | undefined, token: number, logprob: number | undefined): object {
  const text = tokenText(codec, token);
  return {
    token: text,
    logprob: Math.max(VERY_UNLIKELY, logprob ?? VERY_UNLIKELY),
    bytes: text.includes('\uFFFD') ? null : [...new TextEncoder().encode(text)],
  };
}

/** `logprobs` of a choice, or null when the request did not ask. */
export function logprobsOf(
  events: readonly TokenEvent[],
  codec: TextCodec | undefined,
  asked: boolean,
): object | null {
  if (!asked) return null;
  const content = events.map((event) => ({
    ...entry(codec, event.token, event.logprob),
    top_logprobs: (event.top ?? []).map(({ token, logprob }) => entry(codec, token, logprob)),
  }));
  return { content, refusal: null };
}

export function usageOf(
  /** Of every prompt once, whatever the number of its answers. */
  prompt: number,
  usages: readonly Usage[],
  stats: RunStats | undefined,
): Readonly<Record<string, unknown>> {
  const completion = usages.reduce((n, usage) => n + usage.completionTokens, 0);
  const terms = Object.values(stats?.terms ?? {});
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    prompt_tokens_details: { cached_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: 0,
      accepted_prediction_tokens: terms.reduce((n, t) => Math.max(n, t.accepted), 0),
      rejected_prediction_tokens: terms.reduce((n, t) => Math.max(n, t.rejected), 0),
    },
  };
}

export function finishReasonOf(reason: FinishReason): 'stop' | 'length' {
  return reason === 'length' ? 'length' : 'stop';
}

/** What a client is told; details of internal failures stay inside. */
export function errorBody(error: unknown): {
  readonly status: number;
  readonly body: object;
  /** Seconds, with status 429 and 503. */
  readonly retryAfter?: number;
} {
  if (error instanceof RequestProblem) {
    const { message, param, code } = error;
    return {
      status: error.status,
      body: { error: { message, type: 'invalid_request_error', param, code } },
    };
  }
  if (SafeInferError.isInstance(error) && error.code === 'BUSY') {
    const message = `${error.message} (${error.hint})`;
    const body = { error: { message, type: 'rate_limit_error', param: null, code: 'busy' } };
    return { status: 429, body, retryAfter: RETRY_AFTER };
  }
  if (SafeInferError.isInstance(error) && error.code === 'ABORTED') {
    const message = 'the request took too long or was cancelled';
    const body = { error: { message, type: 'timeout_error', param: null, code: 'timeout' } };
    return { status: 504, body };
  }
  if (SafeInferError.isInstance(error)) {
    const refused = ['BAD_ARGUMENT', 'CONTEXT_OVERFLOW', 'UNSUPPORTED', 'NOT_FOUND'].includes(
      error.code,
    );
    const code =
      error.code === 'CONTEXT_OVERFLOW' ? 'context_length_exceeded' : error.code.toLowerCase();
    const type = refused ? 'invalid_request_error' : 'server_error';
    const message = `${error.message} (${error.hint})`;
    return { status: refused ? 400 : 500, body: { error: { message, type, param: null, code } } };
  }
  return {
    status: 500,
    body: { error: { message: 'internal error', type: 'server_error', param: null, code: null } },
  };
}
