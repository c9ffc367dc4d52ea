// A listening server over open arms: its scheduler, its metrics, and its end.
import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import { SafeInferError } from '@safeinfer/backend';
import { Scheduler } from '@safeinfer/guided-sampler';
import type { BearerKeys } from './bearer-keys.ts';
import { tokensIn } from './cache-budget.ts';
import { createMetrics } from './metrics.ts';
import { type ServeState, serveApp } from './serve-app.ts';
import type { ServedArms } from './served-arms.ts';

/** A request that takes longer to arrive is a slow attack or a broken client. */
const ARRIVAL_MS = 30_000;

export interface ServerOptions {
  readonly arms: ServedArms;
  readonly host: string;
  readonly port: number;
  readonly keys: BearerKeys | undefined;
  readonly maxRows: number;
  readonly maxQueue: number;
  readonly cacheMegabytes: number;
  readonly maxBodyBytes: number;
  readonly timeoutSeconds: number;
  readonly log: (line: Readonly<Record<string, unknown>>) => void;
}

export interface RunningServer {
  readonly url: string;
  /** Refuses new requests with 503, finishes what runs for up to this long, then closes. */
  drain(seconds: number): Promise<void>;
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** @throws BAD_CONFIG for a port in use or an address that is not this machine's */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { arms, host, port, keys, log } = options;
  const models = arms.arms.flatMap(({ served }) => served.plan.terms.map(({ spec }) => spec.model));
  const state: ServeState = { draining: false, inFlight: 0, onIdle: undefined };
  const metrics = createMetrics(() => ({ ...scheduler.load, inFlight: state.inFlight }));
  const scheduler = new Scheduler({
    maxRows: options.maxRows,
    maxQueue: options.maxQueue,
    maxCachedTokens: tokensIn(options.cacheMegabytes, models),
    onStep: (step) => metrics.step(step),
  });
  const app = serveApp({
    models: arms.models,
    scheduler,
    metrics,
    state,
    keys,
    local: keys === undefined && isLoopback(host),
    maxBodyBytes: options.maxBodyBytes,
    timeoutMs: options.timeoutSeconds * 1000,
    log,
  });
  const server = serve({
    fetch: app.fetch,
    hostname: host,
    port,
    serverOptions: { requestTimeout: ARRIVAL_MS, headersTimeout: ARRIVAL_MS },
  });
  await new Promise<void>((resolve, reject) => {
    server.once('listening', resolve);
    server.once('error', (cause: NodeJS.ErrnoException) =>
      reject(
        new SafeInferError(`cannot listen on ${host}:${port}: ${cause.message}`, {
          code: 'BAD_CONFIG',
          hint:
            cause.code === 'EADDRINUSE'
              ? 'choose another --port, or 0 for any'
              : 'check --host and --port',
          cause,
        }),
      ),
    );
  });
  const bound = server.address() as AddressInfo;
  const name = bound.family === 'IPv6' ? `[${bound.address}]` : bound.address;
  return {
    url: `http://${name}:${bound.port}`,
    async drain(seconds) {
      state.draining = true;
      const idle = new Promise<void>((resolve) => {
        state.onIdle = resolve;
        if (state.inFlight === 0) resolve();
      });
      let timer: ReturnType<typeof setTimeout> | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, seconds * 1000);
      });
      await Promise.race([idle, late]);
      clearTimeout(timer);
      await scheduler[Symbol.asyncDispose]();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      if ('closeAllConnections' in server) server.closeAllConnections();
      await closed;
    },
  };
}
