// File system failures as typed errors.
import { SafeInferError } from '@safeinfer/backend';

const HINTS: Readonly<Record<string, string>> = {
  ENOSPC: 'free disk space and run the same command again: it goes on from the last checkpoint',
  EACCES: 'make the directory writable, or choose another one',
  EROFS: 'the file system is read-only: choose another directory',
};

/** Runs `write` and turns what the file system throws into `IO`; `what` names the thing being written. */
export async function wrappingIo<T>(what: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException | null)?.code;
    if (SafeInferError.isInstance(cause) || typeof code !== 'string') throw cause;
    throw new SafeInferError(`could not write ${what}: ${code}`, {
      code: 'IO',
      hint: HINTS[code] ?? 'check the path and the disk; files written earlier are untouched',
      cause,
    });
  }
}
