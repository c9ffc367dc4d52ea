// OpenAI's chat/completions and completions over plans, as a function from Request to Response: for any server that
// speaks fetch.
import { SafeInferError } from '@safeinfer/backend';
import type { StepEvent } from '../run/events.ts';
import { collect } from '../run/generate.ts';
import { checkRequest } from '../run/generate-options.ts';
import { chatChunks, wholeChat } from './chat-completions.ts';
import { alone, type Engine } from './engine.ts';
import {
  chatOptions,
  parseChatBody,
  parseTextBody,
  RequestProblem,
  textOptions,
} from './openai-request.ts';
import { type Envelope, errorBody } from './openai-response.ts';
import type { ServedModel } from './served-model.ts';
import { textChunks, wholeText } from './text-completions.ts';

/** What a request was about, for logs and metrics: never its text. */
export interface Served {
  readonly model: string;
  readonly endpoint: 'chat' | 'completions';
  readonly stream: boolean;
}

export interface OpenAiHandlerOptions {
  /**
   * Plans by the name that requests use. With names `model:guard` a request can choose the guard apart from the model: by
   * the field `guard` of its body, or the header `x-guard`.
   */
  readonly models: Readonly<Record<string, ServedModel>>;
  /** Runs the requests; a `Scheduler` batches them. Default: each one alone. */
  readonly engine?: Engine;
  /** Milliseconds after which a request ends with an error. Default: never. */
  readonly timeoutMs?: number;
  /** Seconds since 1970, for `created`; default: the clock. */
  readonly now?: () => number;
  /** Comment lines that keep a slow stream alive, in ms. Default 15,000. */
  readonly pingMs?: number;
  /** Told about failures that clients only see as "internal error". */
  readonly onError?: (error: unknown) => void;
  /** Told which model a request asked for, once it is known to be sound. */
  readonly onServe?: (served: Served) => void;
  /** Told about every event of every answer. */
  readonly onEvent?: (served: Served, event: StepEvent) => void;
}

const JSON_TYPE = { 'content-type': 'application/json' };

/** Server-sent events of the chunks; a failure in the middle becomes an error event. */
function eventStream(
  source: AsyncGenerator<object>,
  options: OpenAiHandlerOptions,
  cancelled: () => void,
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
      cancelled();
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

/** Model ids are `model` and `model:guard`; `guard` replaces what follows the colon. */
function modelId(model: string, guard: string | null | undefined): string {
  return guard == null ? model : `${model.split(':')[0]}:${guard}`;
}

/**
 * `POST .../chat/completions`, `POST .../completions` and `GET .../models`. Streams with `stream: true`; an aborted
 * request or a closed connection ends the run. Temperature is 1 unless the request or the model's defaults say otherwise.
 */
export function openAiHandler(
  options: OpenAiHandlerOptions,
): (request: Request) => Promise<Response> {
  let count = 0;
  const now = options.now ?? (() => Math.floor(Date.now() / 1000));
  const engine = options.engine ?? alone;

  function find(request: Request, body: { model: string; guard?: string | null | undefined }) {
    const id = modelId(body.model, body.guard ?? request.headers.get('x-guard'));
    const model = Object.hasOwn(options.models, id) ? options.models[id] : undefined;
    if (model !== undefined) return { id, model };
    const known = Object.keys(options.models).join(', ');
    throw new RequestProblem(`the model "${id}" does not exist (known: ${known})`, {
      status: 404,
      code: 'model_not_found',
      param: 'model',
    });
  }

  /** The engine as one request sees it: watched, and with a failure where a signal cut an answer short. */
  function watched(served: Served, timer: Timer): Engine {
    return {
      score: (score) => engine.score(score),
      submit(run) {
        const events = engine.submit(run);
        options.onServe?.(served);
        return (async function* () {
          for await (const event of events) {
            options.onEvent?.(served, event);
            if (event.type === 'finish' && event.reason === 'abort') throw timer.error();
            yield event;
          }
          if (run.signal?.aborted === true) throw timer.error();
        })();
      },
    };
  }

  async function chat(request: Request, timer: Timer): Promise<Response> {
    const body = parseChatBody(await readJson(request));
    const { id, model } = find(request, body);
    // Requests without a seed get different ones, reported in the answer, so that each can be repeated.
    const number = count++;
    const run = await chatOptions(body, model, { seed: number, signal: timer.signal });
    const envelope: Envelope = { id: `chatcmpl-${number}`, created: now(), model: id };
    const served: Served = { model: id, endpoint: 'chat', stream: body.stream === true };
    const events = watched(served, timer).submit(run);
    if (body.stream !== true) {
      return Response.json(wholeChat(await collect(events, run), envelope, run));
    }
    const includeUsage = body.stream_options?.include_usage === true;
    return streamed(chatChunks(events, envelope, run, includeUsage), timer);
  }

  async function text(request: Request, timer: Timer): Promise<Response> {
    const body = parseTextBody(await readJson(request));
    const { id, model } = find(request, body);
    const number = count++;
    const run = textOptions(body, model, { seed: number, signal: timer.signal });
    const { prompts } = checkRequest(run);
    const promptTokens = prompts.reduce((sum, perTerm) => sum + (perTerm[0]?.length ?? 0), 0);
    const envelope: Envelope = { id: `cmpl-${number}`, created: now(), model: id };
    const served: Served = { model: id, endpoint: 'completions', stream: body.stream === true };
    const parts = { body, run, engine: watched(served, timer), envelope, promptTokens };
    if (body.stream !== true) return Response.json(await wholeText(parts));
    const chunks = textChunks(parts, body.stream_options?.include_usage === true);
    // The first chunk before the headers: what the engine refuses has its own status.
    const first = await chunks.next();
    return streamed(rest(first, chunks), timer);
  }

  function streamed(chunks: AsyncGenerator<object>, timer: Timer): Response {
    const source = (async function* () {
      try {
        yield* chunks;
      } finally {
        timer.stop();
      }
    })();
    return new Response(
      eventStream(source, options, () => timer.cancel()),
      {
        headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' },
      },
    );
  }

  return async (request) => {
    const { pathname } = new URL(request.url);
    const timer = startTimer(request.signal, options.timeoutMs);
    try {
      if (request.method === 'GET' && pathname.endsWith('/models')) {
        timer.stop();
        return modelList(options, now());
      }
      const post = request.method === 'POST';
      const answer =
        post && pathname.endsWith('/chat/completions')
          ? await chat(request, timer)
          : post && pathname.endsWith('/completions')
            ? await text(request, timer)
            : undefined;
      if (answer === undefined) {
        throw new RequestProblem(`no such endpoint: ${request.method} ${pathname}`, {
          status: 404,
          code: 'not_found',
        });
      }
      if (answer.headers.get('content-type') !== 'text/event-stream') timer.stop();
      return answer;
    } catch (error) {
      timer.stop();
      const { status, body, retryAfter } = errorBody(error);
      if (status >= 500) options.onError?.(error);
      const headers = retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) };
      return new Response(JSON.stringify(body), { status, headers: { ...JSON_TYPE, ...headers } });
    }
  };
}

async function* rest(
  first: IteratorResult<object>,
  chunks: AsyncGenerator<object>,
): AsyncGenerator<object> {
  if (first.done === true) return;
  yield first.value;
  yield* chunks;
}

/** The client's signal and a time limit in one. */
interface Timer {
  readonly signal: AbortSignal;
  /** What to tell the client when the signal has fired. */
  error(): SafeInferError;
  cancel(): void;
  stop(): void;
}

function startTimer(client: AbortSignal, timeoutMs: number | undefined): Timer {
  const controller = new AbortController();
  const abort = (): void => controller.abort(client.reason);
  if (client.aborted) abort();
  client.addEventListener('abort', abort);
  const timeout =
    timeoutMs === undefined
      ? undefined
      : setTimeout(() => controller.abort(new Error(`more than ${timeoutMs} ms`)), timeoutMs);
  const stop = (): void => {
    clearTimeout(timeout);
    client.removeEventListener('abort', abort);
  };
  return {
    signal: controller.signal,
    error: () =>
      new SafeInferError('the request was cut short', {
        code: 'ABORTED',
        hint: 'ask for fewer tokens, or raise the time limit',
        cause: controller.signal.reason,
      }),
    cancel() {
      controller.abort(new Error('the client has gone'));
      stop();
    },
    stop,
  };
}
