// Listens on loopback only, until asked to stop.
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { SafeInferError } from '@safeinfer/backend';
import { openRuns } from './open-runs.ts';
import { readSite } from './site-files.ts';
import { viewApp } from './view-app.ts';

export interface ViewServer {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * @param port 0 or absent: any free one.
 * @throws IO when the port is taken or may not be used.
 */
export async function serveView(options: {
  readonly directory: string;
  readonly port?: number | undefined;
}): Promise<ViewServer> {
  let port = options.port ?? 0;
  const app = viewApp({
    runs: openRuns(options.directory),
    site: await readSite(),
    port: () => port,
  });
  const server = createAdaptorServer({ fetch: app.fetch, hostname: '127.0.0.1' });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const reason = cause.code === 'EADDRINUSE' ? 'is in use' : `cannot be used: ${cause.message}`;
      reject(
        new SafeInferError(`port ${port} ${reason}`, {
          code: 'IO',
          hint: 'name another one with --port, or leave --port out for any free one',
          cause,
        }),
      );
    });
    server.listen(port, '127.0.0.1', resolve);
  });
  port = (server.address() as AddressInfo).port;
  return {
    url: `http://127.0.0.1:${port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        // Browsers keep connections open; ending must not wait for them.
        if ('closeAllConnections' in server) server.closeAllConnections();
      }),
  };
}
