// OpenAI's chat/completions over plans, as a function from Request to Response: for any server that speaks fetch.
import type { StepEvent, TokenEvent, Usage } from '../run/events.ts';
import { generate, stream } from '../run/generate.ts';
import { checkRequest, type GenerateOptions } from '../run/generate-options.ts';
import type { RunStats } from '../run/run-stats.ts';
import { type ChatBody, parseBody, RequestProblem, toOptions } from './openai-request.ts';
import {
  type Envelope,
  errorBody,
  finishReasonOf,
  logprobsOf,
  usageOf,
} from './openai-response.ts';
import type { ServedModel } from './served-model.ts';

export interface OpenAiHandlerOptions {
  /** Plans by the name that requests use. */
  readonly models: Readonly<Record<string, ServedModel>>;
  /** Seconds since 1970, for `created`; default: the clock. */
  readonly now?: () => number;
  /** Comment lines that keep a slow stream alive, in ms. Default 15,000. */
  readonly pingMs?: number;
  /** Told about failures that clients only see as "internal error". */
  readonly onError?: (error: unknown) => void;
}

const JSON_TYPE = { 'content-type': 'application/json' };

function whole(
  result: Awaited<ReturnType<typeof generate>>,
  envelope: Envelope,
  options: GenerateOptions,
): object {
  const codec = options.plan.model.tokenizer;
  return {
    ...envelope,
    object: 'chat.completion',
    choices: result.completions.map(({ sample, text, reason, events }) => ({
      index: sample,
      message: { role: 'assistant', content: text, refusal: null },
      logprobs: logprobsOf(events, codec, options.logprobs !== undefined),
      finish_reason: finishReasonOf(reason),
      ...(options.attribution === 'chosen' ? { guided: { tokens: attributed(events) } } : {}),
    })),
    usage: usageOf(
      result.completions.map((c) => c.usage),
      result.stats,
    ),
    system_fingerprint: null,
    guided: { seed: options.seed, stats: result.stats },
  };
}

function attributed(events: readonly TokenEvent[]): readonly object[] {
  return events.map(({ token, logprob, terms }) => ({ token, logprob, terms }));
}

/** Chunks of a stream, in the order that clients rely on: role, content, finish reason, usage. */
async function* chunks(
  events: AsyncIterable<StepEvent>,
  envelope: Envelope,
  options: GenerateOptions,
  includeUsage: boolean,
): AsyncGenerator<object> {
  const codec = options.plan.model.tokenizer;
  const asked = options.logprobs !== undefined;
  const chunk = (choices: readonly object[]): object => ({
    ...envelope,
    object: 'chat.completion.chunk',
    choices,
    ...(includeUsage ? { usage: null } : {}),
  });
  const count = options.n ?? 1;
  for (let index = 0; index < count; index++) {
    const delta = { role: 'assistant', content: '' };
    yield chunk([{ index, delta, logprobs: null, finish_reason: null }]);
  }
  const waiting = Array.from({ length: count }, (): TokenEvent[] => []);
  const usages: Usage[] = [];
  let stats: RunStats | undefined;
  for await (const event of events) {
    const index = event.sample;
    const held = waiting[index] as TokenEvent[];
    if (event.type === 'token') held.push(event);
    if (event.text !== '' || (event.type === 'finish' && asked && held.length > 0)) {
      const guided =
        options.attribution === 'chosen' ? { guided: { tokens: attributed(held) } } : {};
      yield chunk([
        {
          index,
          delta: { content: event.text },
          logprobs: logprobsOf(held, codec, asked),
          finish_reason: null,
          ...guided,
        },
      ]);
      waiting[index] = [];
    }
    if (event.type === 'token') continue;
    usages.push(event.usage);
    stats = event.stats;
    yield chunk([
      { index, delta: {}, logprobs: null, finish_reason: finishReasonOf(event.reason) },
    ]);
  }
  if (includeUsage)
    yield {
      ...envelope,
      object: 'chat.completion.chunk',
      choices: [],
      usage: usageOf(usages, stats),
    };
}

/** Server-sent events of the chunks; a failure in the middle becomes an error event. */
function eventStream(
  source: AsyncGenerator<object>,
  options: OpenAiHandlerOptions,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let ping: ReturnType<typeof setInterval> | undefined;
  const send = (controller: ReadableStreamDefaultController<Uint8Array>, text: string): void =>
    controller.enqueue(encoder.encode(text));
  return new ReadableStream<Uint8Array>({
    start(controller) {
      ping = setInterval(() => send(controller, ': still working\n\n'), options.pingMs ?? 15_000);
    },
    async pull(controller) {
      try {
        const { value, done } = await source.next();
        if (done !== true) {
          send(controller, `data: ${JSON.stringify(value)}\n\n`);
          return;
        }
        send(controller, 'data: [DONE]\n\n');
      } catch (error) {
        options.onError?.(error);
        send(controller, `data: ${JSON.stringify(errorBody(error).body)}\n\n`);
      }
      clearInterval(ping);
      controller.close();
    },
    async cancel() {
      clearInterval(ping);
      await source.return(undefined);
    },
  });
}

function modelList(options: OpenAiHandlerOptions, created: number): Response {
  const data = Object.keys(options.models).map((id) => ({
    id,
    object: 'model',
    created,
    owned_by: 'safeinfer',
  }));
  return Response.json({ object: 'list', data });
}

async function readJson(request: Request): Promise<unknown> {
  try {
    return await request.json();
  } catch {
    throw new RequestProblem('the body is not JSON', { code: 'invalid_json' });
  }
}

/**
 * `POST .../chat/completions` and `GET .../models`. Streams with `stream: true`; an aborted request or a closed
 * connection ends the run. Temperature is 1 unless the request or the model's defaults say otherwise.
 */
export function openAiHandler(
  options: OpenAiHandlerOptions,
): (request: Request) => Promise<Response> {
  let served = 0;
  const now = options.now ?? (() => Math.floor(Date.now() / 1000));

  async function complete(request: Request): Promise<Response> {
    const body: ChatBody = parseBody(await readJson(request));
    const model = Object.hasOwn(options.models, body.model)
      ? options.models[body.model]
      : undefined;
    if (model === undefined) {
      const known = Object.keys(options.models).join(', ');
      throw new RequestProblem(`the model "${body.model}" does not exist (known: ${known})`, {
        status: 404,
        code: 'model_not_found',
        param: 'model',
      });
    }
    // Requests without a seed get different ones, reported in the answer, so that each can be repeated.
    const number = served++;
    const run = await toOptions(body, model, { seed: number, signal: request.signal });
    checkRequest(run);
    const envelope = { id: `chatcmpl-${number}`, created: now(), model: body.model };
    if (body.stream !== true) {
      return Response.json(whole(await generate(run), envelope, run));
    }
    const includeUsage = body.stream_options?.include_usage === true;
    return new Response(eventStream(chunks(stream(run), envelope, run, includeUsage), options), {
      headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' },
    });
  }

  return async (request) => {
    const { pathname } = new URL(request.url);
    try {
      if (request.method === 'POST' && pathname.endsWith('/chat/completions'))
        return await complete(request);
      if (request.method === 'GET' && pathname.endsWith('/models'))
        return modelList(options, now());
      throw new RequestProblem(`no such endpoint: ${request.method} ${pathname}`, {
        status: 404,
        code: 'not_found',
      });
    } catch (error) {
      const { status, body } = errorBody(error);
      if (status >= 500) options.onError?.(error);
      return new Response(JSON.stringify(body), { status, headers: JSON_TYPE });
    }
  };
}
