// The name or path of a model to a directory that can be loaded: offline first, then the Hub.
import { stat } from 'node:fs/promises';
import { isAbsolute, resolve } from 'node:path';
import { SafeInferError, throwIfAborted } from '@safeinfer/backend';
import { type DownloadProgress, downloadModel } from './download-model.ts';
import { cachedCommit, cachedRepo } from './hub-cache.ts';
import { type Environment, readHubEnvironment, readHubToken } from './hub-environment.ts';
import { missingModelFiles } from './model-files.ts';
import { type ModelReference, modelReference } from './repo-name.ts';

export interface ResolveModelOptions {
  /** A branch, tag, pull request (`refs/pr/1`) or commit. Default `main`. */
  readonly revision?: string;
  /** Ask the Hub even when the model is in the cache, and fetch what changed. Default false. */
  readonly refresh?: boolean;
  /** Use no network. Default: `HF_HUB_OFFLINE` or `TRANSFORMERS_OFFLINE`. */
  readonly offline?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: DownloadProgress) => void;
  /** Variables that say where the cache and the Hub are; default those of the process. */
  readonly environment?: Environment;
  /** Longest wait for the Hub to answer or to send more, in milliseconds. Default 30,000. */
  readonly timeoutMs?: number;
  /** First wait before another try after a broken connection, in milliseconds. Default 1,000. */
  readonly retryDelayMs?: number;
}

/**
 * Finds a model: an existing directory as it is; a name in the cache that Python's `huggingface_hub`
 * uses; or, unless offline, a download into that cache. A cached model is used without asking the
 * network, so a run does not change because a branch moved: pass a commit, or `refresh`.
 *
 * @param nameOrPath `org/name` as on the Hub, or a directory
 * @returns the directory that holds config.json, the weights and the tokenizer
 * @throws SafeInferError `NOT_FOUND`, `OFFLINE` (not in the cache and no network allowed),
 *   `UNSUPPORTED` (no safetensors), `IO` (network), `BAD_ARGUMENT`, `ABORTED`
 */
export async function resolveModel(
  nameOrPath: string,
  options: ResolveModelOptions = {},
): Promise<string> {
  throwIfAborted(options.signal);
  if (await isDirectory(nameOrPath)) return resolve(nameOrPath);
  if (isAbsolute(nameOrPath) || /^[.~]/.test(nameOrPath)) {
    throw new SafeInferError(`there is no directory ${nameOrPath}`, {
      code: 'NOT_FOUND',
      hint: 'give the folder that holds config.json; `~` is for the shell to expand',
    });
  }
  const reference = modelReference(nameOrPath, options.revision);
  const hub = readHubEnvironment(options.environment);
  const offline = options.offline ?? hub.offline;
  const cached = await lookUp(hub.cacheDirectory, reference);
  const complete = cached.directory !== undefined && cached.missing.length === 0;
  if (cached.directory !== undefined && complete && (offline || options.refresh !== true)) {
    return cached.directory;
  }
  if (offline) throw notCached(reference, { ...cached, cacheDirectory: hub.cacheDirectory });
  return downloadModel({
    client: {
      endpoint: hub.endpoint,
      token: await readHubToken(options.environment),
      fetch: globalThis.fetch,
      timeoutMs: options.timeoutMs ?? 30_000,
      signal: options.signal,
    },
    cacheDirectory: hub.cacheDirectory,
    reference,
    retryDelayMs: options.retryDelayMs ?? 1_000,
    onProgress: options.onProgress,
  });
}

async function isDirectory(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}

interface CacheLookup {
  readonly directory: string | undefined;
  readonly missing: readonly string[];
}

async function lookUp(cacheDirectory: string, reference: ModelReference): Promise<CacheLookup> {
  const repo = cachedRepo(cacheDirectory, reference.repo);
  const commit = await cachedCommit(repo, reference);
  const directory = commit === undefined ? undefined : repo.snapshot(commit);
  if (directory === undefined || !(await isDirectory(directory))) {
    return { directory: undefined, missing: [] };
  }
  return { directory, missing: await missingModelFiles(directory) };
}

function notCached(
  { repo, revision }: ModelReference,
  found: CacheLookup & { readonly cacheDirectory: string },
): SafeInferError {
  const state =
    found.directory === undefined
      ? `is not in the cache ${found.cacheDirectory}`
      : `is incomplete in the cache: ${found.missing.slice(0, 3).join(', ')} missing`;
  return new SafeInferError(`${repo} at ${revision} ${state}, and the network may not be used`, {
    code: 'OFFLINE',
    hint: `unset HF_HUB_OFFLINE, or run \`hf download ${repo}\` where there is a network and copy the cache`,
  });
}
