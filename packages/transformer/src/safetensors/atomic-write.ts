// Files that appear complete or not at all: written beside their place, flushed, then renamed.
import { randomUUID } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';

/** Calls `write` with a new file beside `path`, and moves it to `path` once it is on the disk. */
export async function writeAtomically(
  path: string,
  write: (handle: FileHandle) => Promise<void>,
): Promise<void> {
  // Unique, so that two writers of one path never share a partial file.
  const partial = `${path}.${randomUUID().slice(0, 8)}.incomplete`;
  const handle = await open(partial, 'wx', 0o644);
  try {
    try {
      await write(handle);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}
