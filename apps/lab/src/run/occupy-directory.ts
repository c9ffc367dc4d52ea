// One writer per run directory: a second run into the same one is refused before it works for nothing.
import { join } from 'node:path';
import { SafeInferError } from '@safeinfer/backend';
import Database from 'libsql';

/**
 * Holds the directory until disposed, or until the process ends in whatever way: the lock is one that SQLite takes on
 * an empty file, so the system releases it and none is ever stale.
 * @throws BUSY while another process writes there
 */
export function occupyDirectory(path: string): Disposable {
  const lock = new Database(join(path, '.lock'), { timeout: 0 });
  try {
    lock.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    lock.close();
    throw new SafeInferError(`another run is writing to ${path}`, {
      code: 'BUSY',
      hint: 'wait for it (safeinfer status), or name another directory with --out',
      cause,
    });
  }
  return {
    [Symbol.dispose]() {
      lock.exec('ROLLBACK');
      lock.close();
    },
  };
}
