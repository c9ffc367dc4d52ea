// The HTTP side of `safeinfer serve`: who may ask, how much, and what is counted. Never logs what was asked.
import type { HttpBindings } from '@hono/node-server';
import {
  errorBody,
  openAiHandler,
  type Scheduler,
  type ServedModel,
} from '@safeinfer/guided-sampler';
import { Hono, type MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { BearerKeys } from './bearer-keys.ts';
import type { Metrics } from './metrics.ts';

type Env = { Bindings: HttpBindings };

export interface ServeState {
  draining: boolean;
  inFlight: number;
  /** Called when the last request in flight has ended. */
  onIdle: (() => void) | undefined;
}

export interface ServeAppOptions {
  readonly models: Readonly<Record<string, ServedModel>>;
  readonly scheduler: Scheduler;
  readonly metrics: Metrics;
  readonly state: ServeState;
  readonly keys: BearerKeys | undefined;
  /** Bound to loopback without a key: pages of other sites must not reach it through a browser. */
  readonly local: boolean;
  readonly maxBodyBytes: number;
  readonly timeoutMs: number;
  readonly log: (line: Readonly<Record<string, unknown>>) => void;
}

function problem(status: number, type: string, code: string, message: string): Response {
  // The body may not have been read, and then the connection ends: a client must not send its next request on it.
  const headers = { connection: 'close' };
  return Response.json({ error: { message, type, param: null, code } }, { status, headers });
}

export function serveApp(options: ServeAppOptions): Hono<Env> {
  const { metrics, scheduler, state } = options;
  const app = new Hono<Env>();
  app.use(counted(options));
  if (options.local) app.use(fromHere);
  app.get('/healthz', (c) =>
    state.draining ? c.json({ status: 'draining' }, 503) : c.json({ status: 'ok' }),
  );
  const guarded = authorised(options.keys);
  app.get('/metrics', guarded, async (c) =>
    c.text(await metrics.registry.metrics(), 200, { 'content-type': metrics.registry.contentType }),
  );
  const handler = openAiHandler({
    models: options.models,
    engine: scheduler,
    timeoutMs: options.timeoutMs,
    onServe: (served) => metrics.serve(served),
    onEvent: (served, event) => metrics.event(served, event),
    onError: (error) => options.log({ level: 'error', ...failure(error) }),
  });
  app.use(
    '/v1/*',
    guarded,
    async (_c, next) => {
      if (!state.draining) return await next();
      return problem(503, 'server_error', 'draining', 'this server is shutting down');
    },
    bodyLimit({
      maxSize: options.maxBodyBytes,
      onError: async (c) => {
        await readRest(c.env.incoming, DRAINED_BODIES * options.maxBodyBytes);
        return problem(
          413,
          'invalid_request_error',
          'body_too_large',
          `the body has more than ${options.maxBodyBytes} bytes`,
        );
      },
    }),
  );
  app.all('/v1/*', async (c) => {
    const response = await handler(c.req.raw);
    if (response.status === 429) {
      response.headers.set('retry-after', String(scheduler.load.retryAfterSeconds));
    }
    return response;
  });
  app.notFound((c) =>
    problem(
      404,
      'invalid_request_error',
      'not_found',
      `no such endpoint: ${c.req.method} ${c.req.path}`,
    ),
  );
  app.onError((error) => {
    options.log({ level: 'error', ...failure(error) });
    const { status, body } = errorBody(error);
    return Response.json(body, { status });
  });
  return app;
}

/** Messages of our own errors hold numbers and names; those of others might hold text of a request. */
function failure(error: unknown): Readonly<Record<string, unknown>> {
  if (typeof error !== 'object' || error === null) return { error: typeof error };
  const { name, code, stack } = error as { name?: string; code?: string; stack?: string };
  return {
    error: name,
    code,
    at: stack
      ?.split('\n')
      .filter((line) => line.startsWith('    at '))
      .slice(0, 4),
  };
}

/** A client that is still sending sees a broken connection, not the 413: so much is read and thrown away first. */
const DRAINED_BODIES = 8;
const DRAIN_MS = 5000;

function readRest(incoming: HttpBindings['incoming'], most: number): Promise<void> {
  return new Promise((resolve) => {
    let read = 0;
    const done = (): void => {
      clearTimeout(timer);
      incoming.off('data', count);
      resolve();
    };
    const count = (chunk: Buffer): void => {
      read += chunk.length;
      if (read > most) done();
    };
    const timer = setTimeout(done, DRAIN_MS);
    if (incoming.readableEnded || incoming.destroyed) return done();
    incoming.once('end', done).once('close', done).on('data', count);
  });
}

function endpointOf(path: string): string {
  const known = ['/healthz', '/metrics', '/v1/models', '/v1/chat/completions', '/v1/completions'];
  return known.includes(path) ? path : 'other';
}

/** Counts a request until its response has been sent or its client has gone. */
function counted({ metrics, state, log }: ServeAppOptions): MiddlewareHandler<Env> {
  return async (c, next) => {
    const started = performance.now();
    const endpoint = endpointOf(c.req.path);
    state.inFlight++;
    const { outgoing } = c.env;
    outgoing.once('close', () => {
      state.inFlight--;
      const seconds = (performance.now() - started) / 1000;
      // A client that went away before the end of its answer: nginx's number.
      const status = outgoing.writableFinished ? outgoing.statusCode : 499;
      metrics.request({ endpoint, status, seconds });
      if (endpoint.startsWith('/v1/') || status >= 400) {
        log({
          level: 'info',
          method: c.req.method,
          endpoint,
          status,
          ms: Math.round(seconds * 1000),
        });
      }
      if (state.inFlight === 0) state.onIdle?.();
    });
    await next();
  };
}

const LOOPBACK_HOST = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/;
const LOOPBACK_ORIGIN = /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/;

/** A page elsewhere can send requests to loopback, by a rebound name or from its own origin: neither is answered. */
const fromHere: MiddlewareHandler<Env> = async (c, next) => {
  const host = c.req.header('host') ?? '';
  const origin = c.req.header('origin');
  if (LOOPBACK_HOST.test(host) && (origin === undefined || LOOPBACK_ORIGIN.test(origin))) {
    return await next();
  }
  return problem(
    403,
    'invalid_request_error',
    'forbidden',
    'requests from other hosts or sites are not answered',
  );
};

function authorised(keys: BearerKeys | undefined): MiddlewareHandler<Env> {
  return async (c, next) => {
    if (keys === undefined || keys.allow(c.req.header('authorization'))) return await next();
    c.header('www-authenticate', 'Bearer');
    return problem(
      401,
      'invalid_request_error',
      'invalid_api_key',
      'a valid key is needed: Authorization: Bearer ...',
    );
  };
}
