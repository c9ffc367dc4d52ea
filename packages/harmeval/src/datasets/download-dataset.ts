// Datasets from where they are published: the hub (with a token for gated sets) or a pinned commit on GitHub.
import { downloadFile, HubApiError, listFiles } from '@huggingface/hub';
import { HarmEvalError, throwIfAborted } from '../harm-eval-error.ts';
import { type Dataset, loadDataset } from './dataset.ts';
import type { DatasetOrigin, DatasetSource, DatasetSpec } from './dataset-spec.ts';
import { matchingPath } from './matching-path.ts';
import type { DatasetFiles, ReadSourceOptions } from './read-source.ts';

export interface DownloadOptions {
  /** Access token of an account that was admitted to the gated set. */
  readonly token?: string;
  /** Another hub with the same API (a mirror). */
  readonly hubUrl?: string;
  /** Another host of raw repository files. */
  readonly rawUrl?: string;
  readonly fetch?: typeof fetch;
  readonly signal?: AbortSignal;
}

/**
 * Fetches the bytes of every file at the pinned revision. Nothing is written to disk: the caller decides where a licence
 * allows a copy to lie.
 * @throws HarmEvalError `GATED` (no access), `NOT_FOUND`, `OFFLINE`, `BAD_ARGUMENT` (the set is not published anywhere)
 */
export async function downloadDatasetFiles<T>(
  source: DatasetSource<T>,
  options: DownloadOptions = {},
): Promise<DatasetFiles> {
  const { origin } = source;
  if (origin.kind === 'bundled' || origin.kind === 'local') {
    throw new HarmEvalError(`${source.name} has no place to download from`, {
      code: 'BAD_ARGUMENT',
      hint: 'load it from its file',
    });
  }
  const fetcher = abortable(options);
  const entries: [string, Uint8Array][] = [];
  for (const { path } of source.files) {
    throwIfAborted(options.signal);
    const found =
      origin.kind === 'hub' && path.startsWith('*')
        ? await findOnHub(source, origin, { path, options, fetcher })
        : path;
    const bytes =
      origin.kind === 'hub'
        ? await fromHub(source, origin, { path: found, options, fetcher })
        : await fromGitHub(source, origin.repo, { path: found, options, fetcher });
    entries.push([path.startsWith('*') ? found : path, bytes]);
  }
  return Object.fromEntries(entries);
}

/** Downloads and loads a declared set. */
export async function downloadDataset(
  spec: DatasetSpec,
  options: DownloadOptions & ReadSourceOptions = {},
): Promise<Dataset> {
  return loadDataset(spec, await downloadDatasetFiles(spec, options), options);
}

interface FileRequest {
  readonly path: string;
  readonly options: DownloadOptions;
  readonly fetcher: typeof fetch;
}

type HubOrigin = Extract<DatasetOrigin, { readonly kind: 'hub' }>;

function hubParameters<T>(source: DatasetSource<T>, origin: HubOrigin, request: FileRequest) {
  const { token, hubUrl } = request.options;
  return {
    repo: { type: 'dataset', name: origin.repo },
    revision: source.revision,
    fetch: request.fetcher,
    ...(hubUrl === undefined ? {} : { hubUrl }),
    ...(token === undefined ? {} : { accessToken: token }),
  } as const;
}

async function findOnHub<T>(
  source: DatasetSource<T>,
  origin: HubOrigin,
  request: FileRequest,
): Promise<string> {
  try {
    const present: string[] = [];
    for await (const entry of listFiles({
      ...hubParameters(source, origin, request),
      recursive: true,
    })) {
      if (entry.type === 'file') present.push(entry.path);
    }
    const found = matchingPath(request.path, present);
    if (found !== undefined) return found;
  } catch (error) {
    throw explained(source, request, error);
  }
  throw notFound(source, request.path);
}

async function fromHub<T>(
  source: DatasetSource<T>,
  origin: HubOrigin,
  request: FileRequest,
): Promise<Uint8Array> {
  try {
    const blob = await downloadFile({
      ...hubParameters(source, origin, request),
      path: request.path,
    });
    if (blob !== null) return new Uint8Array(await blob.arrayBuffer());
  } catch (error) {
    throw explained(source, request, error);
  }
  throw notFound(source, request.path);
}

async function fromGitHub<T>(
  source: DatasetSource<T>,
  repo: string,
  request: FileRequest,
): Promise<Uint8Array> {
  const { rawUrl = 'https://raw.githubusercontent.com' } = request.options;
  const path = request.path.split('/').map(encodeURIComponent).join('/');
  let response: Response;
  try {
    response = await request.fetcher(`${rawUrl}/${repo}/${source.revision}/${path}`);
  } catch (error) {
    throw explained(source, request, error);
  }
  if (response.status === 404) throw notFound(source, request.path);
  if (!response.ok) {
    throw explained(source, request, new Error(`HTTP status ${response.status}`));
  }
  return new Uint8Array(await response.arrayBuffer());
}

function abortable(options: DownloadOptions): typeof fetch {
  const { fetch: inner = fetch, signal } = options;
  if (signal === undefined) return inner;
  return (input, init) => inner(input, { ...init, signal });
}

function notFound<T>(source: DatasetSource<T>, path: string): HarmEvalError {
  return new HarmEvalError(`${source.name}: ${path} is not at revision ${source.revision}`, {
    code: 'NOT_FOUND',
    hint: 'the file was moved or the revision removed: download it by hand and load it from the file',
    location: { file: path },
  });
}

function explained<T>(source: DatasetSource<T>, request: FileRequest, error: unknown): unknown {
  throwIfAborted(request.options.signal);
  if (HarmEvalError.isInstance(error)) return error;
  const status = error instanceof HubApiError ? error.statusCode : undefined;
  if (status === 401 || status === 403) {
    return new HarmEvalError(`${source.name}: no access to ${request.path} (HTTP ${status})`, {
      code: 'GATED',
      hint: 'accept the conditions on the page of the set with your account, then pass its access token',
      location: { file: request.path },
      cause: error,
    });
  }
  return new HarmEvalError(`${source.name}: ${request.path} could not be fetched`, {
    code: 'OFFLINE',
    hint: 'check the network, or download the file elsewhere and load it from the file',
    location: { file: request.path },
    cause: error,
  });
}
