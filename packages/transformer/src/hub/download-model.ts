// A model from the Hub into the cache, laid out so that Python finds it too.
import { join } from 'node:path';
import { SafeInferError, throwIfAborted } from '@safeinfer/backend';
import { readShardIndex } from '../safetensors/shard-index.ts';
import { downloadBlob } from './download-blob.ts';
import {
  type CachedRepo,
  cachedRepo,
  isFile,
  linkIntoSnapshot,
  markAbsent,
  writeRef,
} from './hub-cache.ts';
import { fetchFileInfo, fetchModelInfo, type HubClient, type ModelInfo } from './hub-client.ts';
import { modelFiles, weightIndex } from './model-files.ts';
import type { ModelReference } from './repo-name.ts';

/** How far a download is; reported for every piece that arrives. */
export interface DownloadProgress {
  readonly file: string;
  /** Bytes on the disk and in all, over the files of the model. */
  readonly bytes: number;
  readonly totalBytes: number;
  /** Rate of this run, and the time left at that rate; 0 and Infinity before the first bytes. */
  readonly bytesPerSecond: number;
  readonly secondsLeft: number;
}

export interface ModelDownload {
  readonly client: HubClient;
  readonly cacheDirectory: string;
  readonly reference: ModelReference;
  readonly retryDelayMs: number;
  readonly onProgress: ((progress: DownloadProgress) => void) | undefined;
}

/** Small files that loaders ask for; a marker saves Python the question whether they exist. */
const optionalFiles = ['generation_config.json', 'chat_template.jinja', 'adapter_config.json'];

/**
 * Downloads what a model needs: config, tokenizer, templates, safetensors. Files that are already
 * there are not fetched again. The ref is written last, so a broken download is not found as a model.
 *
 * @returns the snapshot directory
 */
export async function downloadModel(download: ModelDownload): Promise<string> {
  const { client, reference, cacheDirectory } = download;
  const info = await fetchModelInfo(client, reference);
  const chosen = modelFiles([...info.files.keys()]);
  const repo = cachedRepo(cacheDirectory, reference.repo);
  const directory = repo.snapshot(info.commit);
  const files = [...chosen];
  const meter = new ProgressMeter(download.onProgress);
  if (chosen.includes(weightIndex)) {
    // The index says which of the files are its shards.
    await fetchFile(download, { repo, info, file: weightIndex, meter });
    const index = await readShardIndex(join(directory, weightIndex));
    files.push(...new Set(index.values()));
  }
  meter.expect(files.map((file) => [file, info.files.get(file) ?? 0]));
  for (const file of files) {
    throwIfAborted(client.signal);
    await fetchFile(download, { repo, info, file, meter });
  }
  for (const file of optionalFiles) {
    if (!info.files.has(file)) await markAbsent(repo, info.commit, file);
  }
  await writeRef(repo, reference.revision, info.commit);
  return directory;
}

interface FetchedFile {
  readonly repo: CachedRepo;
  readonly info: ModelInfo;
  readonly file: string;
  readonly meter: ProgressMeter;
}

async function fetchFile(download: ModelDownload, target: FetchedFile): Promise<void> {
  const { repo, info, file, meter } = target;
  const { client, reference, retryDelayMs } = download;
  const pointer = join(repo.snapshot(info.commit), file);
  if (await isFile(pointer)) {
    meter.arrived(file, info.files.get(file) ?? 0);
    return;
  }
  const blob = await fetchFileInfo(client, { repo: reference.repo, commit: info.commit, file });
  if (blob === undefined) {
    throw new SafeInferError(`${reference.repo} lists ${file} but does not have it`, {
      code: 'NOT_FOUND',
      hint: 'the repository is broken at this revision; try another one',
    });
  }
  const path = repo.blob(blob.etag);
  if (!(await isFile(path))) {
    await downloadBlob({
      client,
      info: blob,
      path,
      retryDelayMs,
      onBytes: (bytes) => meter.arrived(file, bytes),
    });
  }
  meter.arrived(file, blob.size);
  await linkIntoSnapshot(path, pointer);
}

/** Adds up bytes over files and turns them into a rate. */
class ProgressMeter {
  readonly #report: ((progress: DownloadProgress) => void) | undefined;
  readonly #expected = new Map<string, number>();
  readonly #done = new Map<string, number>();
  /** Bytes that lay in the cache before this run; they say nothing about the rate. */
  #before = 0;
  readonly #start = performance.now();

  constructor(report: ((progress: DownloadProgress) => void) | undefined) {
    this.#report = report;
  }

  expect(files: readonly (readonly [file: string, bytes: number])[]): void {
    for (const [file, bytes] of files) this.#expected.set(file, bytes);
  }

  arrived(file: string, bytes: number): void {
    if (!this.#done.has(file)) this.#before += bytes;
    this.#done.set(file, bytes);
    this.#expected.set(file, Math.max(bytes, this.#expected.get(file) ?? 0));
    const sum = (map: ReadonlyMap<string, number>): number =>
      [...map.values()].reduce((total, value) => total + value, 0);
    const done = sum(this.#done);
    const totalBytes = sum(this.#expected);
    const seconds = (performance.now() - this.#start) / 1000;
    const bytesPerSecond = seconds > 0 ? (done - this.#before) / seconds : 0;
    const secondsLeft = done === totalBytes ? 0 : (totalBytes - done) / bytesPerSecond;
    this.#report?.({ file, bytes: done, totalBytes, bytesPerSecond, secondsLeft });
  }
}
