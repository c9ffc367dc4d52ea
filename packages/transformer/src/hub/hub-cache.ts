// The Hub cache as Python lays it out: refs, snapshots of links, blobs, and known-absent markers.
import { randomUUID } from 'node:crypto';
import { copyFile, mkdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { isCommit, isRelativePath, type ModelReference } from './repo-name.ts';

/** Paths of one model in the cache (huggingface_hub/file_download.py). */
export interface CachedRepo {
  readonly directory: string;
  blob(etag: string): string;
  snapshot(commit: string): string;
}

export function cachedRepo(cacheDirectory: string, repo: string): CachedRepo {
  const directory = join(cacheDirectory, `models--${repo.split('/').join('--')}`);
  return {
    directory,
    blob: (etag) => join(directory, 'blobs', etag),
    snapshot: (commit) => join(directory, 'snapshots', commit),
  };
}

/** The commit that a revision names in the cache, or undefined. */
export async function cachedCommit(
  repo: CachedRepo,
  { revision }: ModelReference,
): Promise<string | undefined> {
  if (isCommit(revision)) return revision;
  const text = await readFile(join(repo.directory, 'refs', revision), 'utf8').catch(() => '');
  // A ref is the commit alone; anything else could name a path outside the cache.
  const commit = text.trim();
  return isCommit(commit) ? commit : undefined;
}

/** What the cache knows of a file: where it is, that the repo has no such file, or nothing. */
export type CachedFile =
  | { readonly state: 'found'; readonly path: string }
  | { readonly state: 'absent' }
  | { readonly state: 'unknown' };

/** Looks a file of a model up without the network, as `try_to_load_from_cache` does. */
export async function findInCache(
  cacheDirectory: string,
  reference: ModelReference & { readonly file: string },
): Promise<CachedFile> {
  const repo = cachedRepo(cacheDirectory, reference.repo);
  const commit = await cachedCommit(repo, reference);
  if (commit === undefined || !isRelativePath(reference.file)) return { state: 'unknown' };
  const path = join(repo.snapshot(commit), reference.file);
  if (await isFile(path)) return { state: 'found', path };
  const marker = join(repo.directory, '.no_exist', commit, reference.file);
  return { state: (await isFile(marker)) ? 'absent' : 'unknown' };
}

/** Whether a path, links followed, is a file; a link to a missing blob is not. */
export async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() ?? false;
}

/** Puts a blob into a snapshot as a relative link, or as a copy where links are not allowed. */
export async function linkIntoSnapshot(blob: string, pointer: string): Promise<void> {
  await mkdir(dirname(pointer), { recursive: true });
  const partial = `${pointer}.${randomUUID().slice(0, 8)}.tmp`;
  try {
    await symlink(relative(dirname(pointer), blob), partial).catch(
      (error: NodeJS.ErrnoException) => {
        const refused = ['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP'].includes(error.code ?? '');
        if (!refused) throw error;
        return copyFile(blob, partial);
      },
    );
    await rename(partial, pointer);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}

/** Records which commit a branch or tag names. Written last: until then the old commit stays found. */
export async function writeRef(repo: CachedRepo, revision: string, commit: string): Promise<void> {
  if (revision === commit) return;
  const path = join(repo.directory, 'refs', revision);
  await mkdir(dirname(path), { recursive: true });
  const partial = `${path}.${randomUUID().slice(0, 8)}.tmp`;
  await writeFile(partial, commit);
  await rename(partial, path);
}

/** Records that a commit has no such file, so that nobody asks again. */
export async function markAbsent(repo: CachedRepo, commit: string, file: string): Promise<void> {
  const path = join(repo.directory, '.no_exist', commit, file);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, '');
}
