// Any OpenAI-compatible chat endpoint as a generator: rate limits, Retry-After, and errors sorted by what to do next.
import PQueue from 'p-queue';
import { z } from 'zod';
import {
  type AdaptiveConcurrency,
  type ConcurrencyController,
  concurrencyController,
} from './adaptive-concurrency.ts';
import type { ChatMessage, Generate, GenerateRequest, GenerateResult } from './generate.ts';
import { defineGenerate } from './generate.ts';
import { GenerateFailure } from './generate-failure.ts';
import { HarmEvalError } from './harm-eval-error.ts';

export interface EndpointOptions {
  /** Up to and without `/chat/completions`, such as `http://127.0.0.1:8000/v1`. */
  readonly baseUrl: string;
  readonly model: string;
  readonly apiKey?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * Requests in flight: a fixed number, or a range within which it rises while the endpoint answers and falls when it
   * answers 429. Default: from 4 up to 20.
   */
  readonly concurrency?: number | AdaptiveConcurrency;
  /** Told when an adaptive limit changes. */
  readonly onConcurrency?: (limit: number) => void;
  /** At most this many requests start in any minute. Default: no limit. */
  readonly requestsPerMinute?: number;
  /** More fields of the request body (provider options). Part of the fingerprint. */
  readonly body?: Readonly<Record<string, unknown>>;
  /** Whether the endpoint takes `seed`. Default true. */
  readonly sendSeed?: boolean;
  readonly fetch?: typeof fetch;
}

const DEFAULT_CONCURRENCY: AdaptiveConcurrency = { start: 4, max: 20 };

const completionSchema = z.object({
  choices: z
    .array(
      z.object({
        message: z.object({ content: z.string().nullish(), refusal: z.string().nullish() }),
        finish_reason: z.string().nullish(),
      }),
    )
    .min(1),
  usage: z
    .object({ prompt_tokens: z.number().optional(), completion_tokens: z.number().optional() })
    .nullish(),
});

/** A generator over `POST {baseUrl}/chat/completions`, one request per row. Raw prompts are refused: it is a chat API. */
export function endpointGenerate(options: EndpointOptions): Generate {
  const { baseUrl, model, concurrency = DEFAULT_CONCURRENCY, requestsPerMinute, body } = options;
  const range = typeof concurrency === 'number' ? undefined : concurrency;
  const queue = new PQueue({
    concurrency: typeof concurrency === 'number' ? concurrency : concurrency.start,
    ...(requestsPerMinute === undefined
      ? {}
      : { intervalCap: requestsPerMinute, interval: 60_000, carryoverIntervalCount: true }),
  });
  const controller =
    range === undefined
      ? undefined
      : concurrencyController(range, (limit) => {
          queue.concurrency = limit;
          options.onConcurrency?.(limit);
        });
  return defineGenerate(
    (requests, { signal }) =>
      Promise.all(
        requests.map((request) =>
          queue.add(() => watched(() => complete(options, request, signal), controller)),
        ),
      ) as Promise<readonly GenerateResult[]>,
    {
      batchSize: 1,
      concurrency: typeof concurrency === 'number' ? concurrency : concurrency.max,
      // The name is all that an endpoint tells about its weights: a provider may change them behind it.
      fingerprint: `endpoint:${new URL(baseUrl).host}:${model}${
        body === undefined ? '' : `:${JSON.stringify(body)}`
      }`,
    },
  );
}

/** Tells the controller how a call ended; failures that say nothing about load leave the limit alone. */
async function watched<T>(
  call: () => Promise<T>,
  controller: ConcurrencyController | undefined,
): Promise<T> {
  try {
    const result = await call();
    controller?.succeeded();
    return result;
  } catch (error) {
    if (GenerateFailure.isInstance(error) && error.failureClass === 'rate_limit') {
      controller?.rateLimited();
    }
    throw error;
  }
}

async function complete(
  options: EndpointOptions,
  request: GenerateRequest,
  signal: AbortSignal | undefined,
): Promise<GenerateResult> {
  const { fetch: fetcher = fetch } = options;
  let response: Response;
  let text: string;
  try {
    response = await fetcher(`${options.baseUrl.replace(/\/$/u, '')}/chat/completions`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(options.apiKey === undefined ? {} : { authorization: `Bearer ${options.apiKey}` }),
        ...options.headers,
      },
      body: JSON.stringify(requestBody(options, request)),
      signal: signal ?? null,
    });
    text = await response.text();
  } catch (error) {
    throw new GenerateFailure('the endpoint did not answer', {
      failureClass: 'transient',
      cause: error,
    });
  }
  if (!response.ok) throw failureOf(response, text);
  const parsed = completionSchema.safeParse(jsonOrUndefined(text));
  const choice = parsed.data?.choices[0];
  if (!parsed.success || choice === undefined) {
    throw new GenerateFailure('the endpoint answered with something that is no chat completion', {
      failureClass: 'transient',
      status: response.status,
    });
  }
  const { usage } = parsed.data;
  return {
    text: choice.message.content ?? choice.message.refusal ?? '',
    finishReason: finishReasonOf(choice.finish_reason),
    usage: {
      ...(usage?.prompt_tokens === undefined ? {} : { tokensIn: usage.prompt_tokens }),
      ...(usage?.completion_tokens === undefined ? {} : { tokensOut: usage.completion_tokens }),
    },
  };
}

function requestBody(options: EndpointOptions, request: GenerateRequest): Record<string, unknown> {
  const { temperature, topP, maxNewTokens, stop } = request.sampling;
  return {
    model: options.model,
    messages: messagesOf(request),
    ...(temperature === undefined ? {} : { temperature }),
    ...(topP === undefined ? {} : { top_p: topP }),
    ...(maxNewTokens === undefined ? {} : { max_tokens: maxNewTokens }),
    ...(stop === undefined ? {} : { stop }),
    // Some servers take signed 32-bit seeds only.
    ...(options.sendSeed === false ? {} : { seed: request.seed >>> 1 }),
    ...options.body,
  };
}

function messagesOf(request: GenerateRequest): readonly ChatMessage[] {
  if (request.prompt.kind === 'chat') return request.prompt.messages;
  throw new HarmEvalError('a chat endpoint cannot take a raw prompt', {
    code: 'BAD_ARGUMENT',
    hint: 'use a chat style, or a local model',
  });
}

function failureOf(response: Response, text: string): GenerateFailure {
  const { status } = response;
  const retryAfterMs = retryAfter(response.headers.get('retry-after'));
  const filtered = status === 400 && /content[_ -]?(?:filter|policy)/iu.test(text);
  const failureClass = filtered
    ? 'content_filter'
    : status === 429
      ? 'rate_limit'
      : status === 408 || status === 409 || status >= 500
        ? 'transient'
        : 'permanent';
  return new GenerateFailure(`the endpoint answered with status ${status}`, {
    failureClass,
    status,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

/** `Retry-After` in seconds or as an HTTP date; undefined when absent or unreadable. */
export function retryAfter(header: string | null, now: number = Date.now()): number | undefined {
  if (header === null) return undefined;
  const seconds = Number(header);
  if (Number.isFinite(seconds) && header.trim() !== '') return Math.max(0, seconds * 1000);
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

function finishReasonOf(reason: string | null | undefined): GenerateResult['finishReason'] {
  if (reason === 'length') return 'length';
  return reason === 'content_filter' ? 'content_filter' : 'stop';
}

function jsonOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
