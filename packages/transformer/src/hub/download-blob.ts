// One file of the Hub into the cache: resumed where it stopped, verified, renamed into place.
import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { SafeInferError, throwIfAborted } from '@safeinfer/backend';
import {
  badAnswer,
  type FileInfo,
  type HubClient,
  requestBytes,
  requireOk,
  unreachable,
} from './hub-client.ts';

export interface BlobDownload {
  readonly client: HubClient;
  readonly info: FileInfo;
  /** Where the blob belongs; `<path>.incomplete` holds it until it is complete and verified. */
  readonly path: string;
  /** First wait before another try, in milliseconds; it doubles each time. */
  readonly retryDelayMs: number;
  /** Called with the bytes of this file that are on the disk. */
  readonly onBytes: (bytes: number) => void;
}

/** Tries in all. A try that made progress does not count. */
const maxTries = 4;

/**
 * Downloads a blob. An aborted or broken download leaves `<path>.incomplete`, and the next call
 * goes on from there. The content is checked against the SHA-256 or git hash that names it.
 *
 * @throws SafeInferError `IO` (network, or content that is not what its name says), `ABORTED`
 */
export async function downloadBlob(download: BlobDownload): Promise<void> {
  await mkdir(dirname(download.path), { recursive: true });
  let best = -1;
  for (let tries = 1; ; tries++) {
    try {
      return await attempt(download);
    } catch (error) {
      const temporary = SafeInferError.isInstance(error) && error.code === 'IO';
      if (!temporary) throw error;
      const reached = await sizeOf(partialPath(download));
      if (reached > best) tries = 1;
      best = Math.max(best, reached);
      if (tries >= maxTries) throw error;
      await pause(download, tries);
    }
  }
}

function partialPath({ path }: BlobDownload): string {
  return `${path}.incomplete`;
}

async function pause({ client, retryDelayMs }: BlobDownload, tries: number): Promise<void> {
  const options = client.signal === undefined ? {} : { signal: client.signal };
  await delay(retryDelayMs * 2 ** (tries - 1), undefined, options).catch(() => undefined);
  throwIfAborted(client.signal);
}

async function attempt(download: BlobDownload): Promise<void> {
  const { info } = download;
  const partial = partialPath(download);
  let hash = contentHash(info);
  let start = await sizeOf(partial);
  if (start > info.size) {
    await rm(partial);
    start = 0;
  }
  if (start > 0) await feed(hash, partial);
  const handle = await open(partial, 'a');
  try {
    if (start < info.size || info.size === 0) {
      const received = await receive(download, { handle, hash, start });
      hash = received;
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  await verify(download, hash);
  await rename(partial, download.path);
}

async function sizeOf(path: string): Promise<number> {
  const handle = await open(path, 'r').catch(() => undefined);
  if (handle === undefined) return 0;
  try {
    return (await handle.stat()).size;
  } finally {
    await handle.close();
  }
}

async function feed(hash: Hash, path: string): Promise<void> {
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
}

/** Git hashes a header with the length before the content; LFS hashes the content alone. */
function contentHash({ etag, size }: FileInfo): Hash {
  return etag.length === 40 ? createHash('sha1').update(`blob ${size}\0`) : createHash('sha256');
}

async function receive(
  download: BlobDownload,
  state: { readonly handle: FileHandle; readonly hash: Hash; readonly start: number },
): Promise<Hash> {
  const { client, info, onBytes } = download;
  const stall = new AbortController();
  let timer = setTimeout(() => stall.abort(), client.timeoutMs);
  const stillAlive = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => stall.abort(), client.timeoutMs);
  };
  try {
    const response = await requestBytes(client, {
      url: info.url,
      start: state.start,
      signal: stall.signal,
    });
    await requireOk(response, info.url);
    let { hash, start: done } = state;
    if (done > 0 && !continuesAt(response, done)) {
      // The server sends the file from its beginning.
      await state.handle.truncate(0);
      hash = contentHash(info);
      done = 0;
    }
    onBytes(done);
    for await (const chunk of response.body ?? []) {
      throwIfAborted(client.signal);
      stillAlive();
      done += chunk.byteLength;
      if (done > info.size) throw badAnswer(info.url, `more than the ${info.size} bytes of a file`);
      hash.update(chunk);
      await state.handle.write(chunk);
      onBytes(done);
    }
    if (done < info.size) throw badAnswer(info.url, `${done} of the ${info.size} bytes of a file`);
    return hash;
  } catch (cause) {
    throwIfAborted(client.signal);
    throw SafeInferError.isInstance(cause) ? cause : unreachable(info.url, cause);
  } finally {
    clearTimeout(timer);
  }
}

function continuesAt(response: Response, start: number): boolean {
  const range = response.headers.get('content-range') ?? '';
  return response.status === 206 && range.startsWith(`bytes ${start}-`);
}

async function verify(download: BlobDownload, hash: Hash): Promise<void> {
  const { etag, url, size } = download.info;
  const partial = partialPath(download);
  const known = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(etag);
  const complete = (await sizeOf(partial)) === size;
  if (complete && (!known || hash.digest('hex') === etag)) return;
  // Two processes that wrote one partial file end here too: start again from nothing.
  await rm(partial, { force: true });
  throw badAnswer(url, 'a file whose content does not match its hash');
}
