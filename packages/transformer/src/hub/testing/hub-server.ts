// A small Hub on loopback for tests: the endpoints that this package and Python's client use.
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface HubServer extends AsyncDisposable {
  readonly endpoint: string;
  /** Origin of the second host, where large files are redirected to. */
  readonly storage: string;
  readonly commit: string;
  /** One line a request: method, host kind, path, and whether a token or a range came with it. */
  readonly log: string[];
  /** Break the connection after so many bytes of a file from the second host; 0 for never. */
  breakAfter: number;
  /** Send these bytes in place of the content of large files. */
  replaceContent: Buffer | undefined;
  /** Status to answer every request with; 0 for the normal answer. */
  failWith: number;
}

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const gitHash = (bytes: Buffer): string =>
  createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');

/** Serves `files` as the model `repo`; safetensors files count as large and lie on the second host. */
export async function startHubServer(
  repo: string,
  files: ReadonlyMap<string, Buffer>,
): Promise<HubServer> {
  const commit = createHash('sha1')
    .update([...files.keys()].join())
    .digest('hex');
  const log: string[] = [];
  const isLarge = (name: string): boolean => name.endsWith('.safetensors');

  const describe = (request: IncomingMessage, host: string): string =>
    [
      request.method,
      host,
      request.url,
      ...(request.headers.authorization === undefined ? [] : [request.headers.authorization]),
      ...(request.headers.range === undefined ? [] : [request.headers.range]),
    ].join(' ');

  const answer = (response: ServerResponse, status: number, headers = {}, body?: unknown): void => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(body === undefined ? undefined : JSON.stringify(body));
  };

  const hub = createServer((request, response) => {
    log.push(describe(request, 'hub'));
    if (state.failWith !== 0) return answer(response, state.failWith);
    const url = new URL(request.url ?? '', 'http://hub');
    const path = decodeURIComponent(url.pathname);
    if (path.startsWith(`/api/models/${repo}/revision/`)) {
      const revision = path.slice(`/api/models/${repo}/revision/`.length);
      if (revision !== 'main' && revision !== 'refs/pr/1' && revision !== commit) {
        return answer(response, 404, { 'x-error-code': 'RevisionNotFound' });
      }
      const siblings = [...files].map(([rfilename, { length: size }]) => ({ rfilename, size }));
      return answer(response, 200, {}, { id: repo, sha: commit, siblings });
    }
    if (path === `/api/models/${repo}/tree/${commit}`) {
      const entries = [...files].map(([name, bytes]) => ({
        type: 'file',
        path: name,
        size: bytes.length,
        oid: gitHash(bytes),
        ...(isLarge(name)
          ? { lfs: { oid: sha256(bytes), size: bytes.length, pointerSize: 134 } }
          : {}),
      }));
      return answer(response, 200, {}, entries);
    }
    const prefix = `/${repo}/resolve/${commit}/`;
    if (!path.startsWith(prefix)) return answer(response, 404, { 'x-error-code': 'RepoNotFound' });
    const name = path.slice(prefix.length);
    const bytes = files.get(name);
    if (bytes === undefined) return answer(response, 404, { 'x-error-code': 'EntryNotFound' });
    if (isLarge(name)) {
      return answer(response, 302, {
        location: `${state.storage}/blob/${name}`,
        'x-repo-commit': commit,
        'x-linked-etag': `"${sha256(bytes)}"`,
        'x-linked-size': String(bytes.length),
      });
    }
    response.writeHead(200, {
      etag: `"${gitHash(bytes)}"`,
      'x-repo-commit': commit,
      'content-length': String(bytes.length),
    });
    response.end(request.method === 'HEAD' ? undefined : bytes);
  });

  const storage = createServer((request, response) => {
    log.push(describe(request, 'storage'));
    const name = decodeURIComponent((request.url ?? '').replace('/blob/', ''));
    const bytes = state.replaceContent ?? files.get(name);
    if (bytes === undefined) return answer(response, 404);
    const start = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const rest = bytes.subarray(start);
    response.writeHead(start > 0 ? 206 : 200, {
      'content-length': String(rest.length),
      ...(start > 0
        ? { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` }
        : {}),
    });
    if (state.breakAfter > 0 && rest.length > state.breakAfter) {
      response.write(rest.subarray(0, state.breakAfter), () => response.destroy());
    } else {
      response.end(rest);
    }
  });

  const [hubOrigin, storageOrigin] = await Promise.all([listen(hub), listen(storage)]);
  const state: HubServer = {
    endpoint: hubOrigin,
    storage: storageOrigin,
    commit,
    log,
    breakAfter: 0,
    replaceContent: undefined,
    failWith: 0,
    async [Symbol.asyncDispose]() {
      await Promise.all([hub, storage].map(close));
    },
  };
  return state;
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
}
