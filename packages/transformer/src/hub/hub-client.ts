// Requests to the Hub. The token goes to the Hub's own origin and never across a redirect.
import { SafeInferError, throwIfAborted } from '@safeinfer/backend';
import { isJsonObject } from '../loading/read-json.ts';
import { isCommit, isRelativePath, type ModelReference } from './repo-name.ts';

export interface HubClient {
  readonly endpoint: string;
  readonly token: string | undefined;
  readonly fetch: typeof globalThis.fetch;
  /** Longest wait for headers or for the next bytes, in milliseconds. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/** A commit and the files in it; sizes in bytes where the Hub states them. */
export interface ModelInfo {
  readonly commit: string;
  readonly files: ReadonlyMap<string, number | undefined>;
}

/** Where a file can be fetched. `etag` names its blob: the SHA-256, or the git hash of small files. */
export interface FileInfo {
  readonly url: string;
  readonly etag: string;
  readonly size: number;
}

const maxRedirects = 5;
/** The listing of a model with 100,000 files; real ones have a few dozen. */
const maxListingBytes = 32 * 1024 * 1024;

/** Asks which commit a revision is and what it holds. */
export async function fetchModelInfo(
  client: HubClient,
  { repo, revision }: ModelReference,
): Promise<ModelInfo> {
  const url = `${client.endpoint}/api/models/${repo}/revision/${encodeURIComponent(revision)}?blobs=true`;
  const response = await send(client, { url, method: 'GET' });
  await requireOk(response, `${repo} at ${revision}`);
  const info: unknown = JSON.parse(await limitedText(response));
  const commit = isJsonObject(info) ? info['sha'] : undefined;
  const siblings = isJsonObject(info) ? info['siblings'] : undefined;
  if (typeof commit !== 'string' || !isCommit(commit) || !Array.isArray(siblings)) {
    throw badAnswer(url, 'no commit or no list of files');
  }
  const files = new Map<string, number | undefined>();
  for (const entry of siblings as unknown[]) {
    const { rfilename: name, size } = isJsonObject(entry) ? entry : {};
    if (typeof name !== 'string' || !isRelativePath(name)) {
      throw badAnswer(url, `a file named ${JSON.stringify(name)?.slice(0, 100)}`);
    }
    files.set(name, typeof size === 'number' && Number.isSafeInteger(size) ? size : undefined);
  }
  return { commit, files };
}

/** Asks for the blob name, size and address of a file; undefined when the commit has no such file. */
export async function fetchFileInfo(
  client: HubClient,
  at: { readonly repo: string; readonly commit: string; readonly file: string },
): Promise<FileInfo | undefined> {
  const path = at.file.split('/').map(encodeURIComponent).join('/');
  const url = `${client.endpoint}/${at.repo}/resolve/${at.commit}/${path}`;
  const response = await send(client, { url, method: 'HEAD', stopAtOtherOrigin: true });
  if (response.status === 404 && response.headers.get('x-error-code') === 'EntryNotFound') {
    return undefined;
  }
  const redirected = response.status >= 300 && response.status < 400;
  if (!redirected) await requireOk(response, `${at.repo}/${at.file}`);
  const header = (name: string): string | null => response.headers.get(name);
  const etag = (header('x-linked-etag') ?? header('etag'))?.replace(/^W\//, '').replaceAll('"', '');
  const size = Number(header('x-linked-size') ?? header('content-length') ?? Number.NaN);
  if (etag === undefined || !/^[\w.-]+$/.test(etag) || /^\.+$/.test(etag)) {
    throw badAnswer(url, 'no usable ETag');
  }
  if (!Number.isSafeInteger(size) || size < 0) throw badAnswer(url, 'no size');
  // Not the redirect's address: it is signed and expires, while a resumed download asks again.
  return { url, etag, size };
}

/** Requests the bytes of a file from `start` on. */
export async function requestBytes(
  client: HubClient,
  file: { readonly url: string; readonly start: number; readonly signal: AbortSignal },
): Promise<Response> {
  const range = file.start > 0 ? { range: `bytes=${file.start}-` } : undefined;
  return send(client, { url: file.url, method: 'GET', signal: file.signal, headers: range ?? {} });
}

interface HubRequest {
  readonly url: string;
  readonly method: 'GET' | 'HEAD';
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** Return a redirect to another origin instead of following it. */
  readonly stopAtOtherOrigin?: boolean;
}

async function send(client: HubClient, request: HubRequest): Promise<Response> {
  const home = new URL(client.endpoint).origin;
  let url = request.url;
  for (let redirects = 0; redirects <= maxRedirects; redirects++) {
    throwIfAborted(client.signal);
    const response = await attempt(client, { ...request, url });
    const location = response.headers.get('location');
    if (response.status < 300 || response.status >= 400 || location === null) return response;
    const next = new URL(location, url);
    if (next.origin !== home && request.stopAtOtherOrigin === true) return response;
    if (next.protocol !== 'https:' && next.protocol !== 'http:') {
      throw badAnswer(url, `a redirect to ${next.protocol}`);
    }
    // The body of a redirect is not read; cancelling it frees the connection.
    await response.body?.cancel();
    url = next.href;
  }
  throw badAnswer(request.url, `more than ${maxRedirects} redirects`);
}

async function attempt(client: HubClient, request: HubRequest): Promise<Response> {
  const toHub = new URL(request.url).origin === new URL(client.endpoint).origin;
  const headers: Record<string, string> = {
    'user-agent': 'safeinfer-transformer',
    // Content-Length must be the length of the file, not of a compressed form of it.
    'accept-encoding': 'identity',
    ...request.headers,
    ...(toHub && client.token !== undefined ? { authorization: `Bearer ${client.token}` } : {}),
  };
  const signals = [request.signal ?? AbortSignal.timeout(client.timeoutMs), client.signal];
  try {
    return await client.fetch(request.url, {
      method: request.method,
      headers,
      redirect: 'manual',
      signal: AbortSignal.any(signals.filter((signal) => signal !== undefined)),
    });
  } catch (cause) {
    throwIfAborted(client.signal);
    throw unreachable(request.url, cause);
  }
}

/** The error of a connection that fails or stalls; worth another try. */
export function unreachable(url: string, cause: unknown): SafeInferError {
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  const reason = inner instanceof Error ? inner.message : String(inner);
  return new SafeInferError(`cannot reach ${new URL(url).origin}: ${reason}`, {
    code: 'IO',
    hint: 'check the network and HF_ENDPOINT; the download resumes where it stopped',
    cause,
  });
}

/** The error of an answer that no Hub gives. */
export function badAnswer(url: string, what: string): SafeInferError {
  return new SafeInferError(`${new URL(url).origin} answered with ${what}`, {
    code: 'IO',
    hint: 'check HF_ENDPOINT: it must be the Hub or a complete mirror of it',
  });
}

/** Turns an HTTP error into one that says what to do. */
export async function requireOk(response: Response, what: string): Promise<void> {
  if (response.ok) return;
  await response.body?.cancel();
  const { status } = response;
  const code = response.headers.get('x-error-code');
  if (code === 'GatedRepo' || status === 403) {
    throw new SafeInferError(`${what} is gated`, {
      code: 'NOT_FOUND',
      hint: 'accept the conditions on its page, then set HF_TOKEN or run `hf auth login`',
    });
  }
  if (status === 401 || status === 404) {
    const subject = code === 'RevisionNotFound' ? 'has no such revision' : 'does not exist';
    throw new SafeInferError(`${what} ${subject} (or is private)`, {
      code: 'NOT_FOUND',
      hint: 'check the spelling; for a private model set HF_TOKEN',
    });
  }
  throw new SafeInferError(`${what}: the Hub answered with status ${status}`, {
    code: 'IO',
    hint: 'try again later; the download resumes where it stopped',
  });
}

async function limitedText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > maxListingBytes) throw badAnswer(response.url, 'a listing without end');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
