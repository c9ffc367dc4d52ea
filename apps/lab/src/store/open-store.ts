// Finished work by content address, in one SQLite file: a killed run loses at most the batch in hand.
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { SafeInferError } from '@safeinfer/backend';
import Database from 'libsql';
import { MIGRATIONS } from './schema.ts';

export interface Store extends Disposable {
  readonly file: string;
  get(key: string): unknown;
  /** Writes all entries or none: what belongs together is found together after a crash. */
  set(entries: ReadonlyMap<string, unknown>): void;
  /** Entries in the store. */
  size(): number;
  close(): void;
}

/** Waits this long for another process that writes to the same store (milliseconds). */
const BUSY_TIMEOUT = 10_000;

/**
 * Opens or creates a store. Every `set` is one transaction (WAL, synchronous NORMAL: it survives a killed process).
 * @throws IO for a file that cannot be opened, BAD_FILE for one that is no store, is damaged or is of a newer version
 */
export function openStore(file: string): Store {
  let database: Database.Database;
  try {
    mkdirSync(dirname(file), { recursive: true });
    database = new Database(file, { timeout: BUSY_TIMEOUT });
  } catch (cause) {
    throw new SafeInferError(`cannot open the store ${file}: ${(cause as Error).message}`, {
      code: 'IO',
      hint: 'name another file with --store, or run with --no-store',
      cause,
    });
  }
  try {
    prepare(database, file);
  } catch (error) {
    database.close();
    throw error;
  }
  const get = database.prepare('SELECT value FROM content WHERE key = ?');
  const set = database.prepare('INSERT OR REPLACE INTO content (key, value) VALUES (?, ?)');
  const write = database.transaction((entries: ReadonlyMap<string, unknown>) => {
    for (const [key, value] of entries) set.run(key, JSON.stringify(value));
  });
  const count = database.prepare('SELECT count(*) AS entries FROM content');
  const close = (): void => {
    if (database.open) database.close();
  };
  return {
    file,
    get: (key) => {
      const row = get.get(key) as { readonly value: string } | undefined;
      return row === undefined ? undefined : (JSON.parse(row.value) as unknown);
    },
    set: (entries) => {
      try {
        write(entries);
      } catch (cause) {
        throw new SafeInferError(`cannot write to the store ${file}: ${(cause as Error).message}`, {
          code: 'IO',
          hint: 'free some disk space and run the same command again: finished answers are kept',
          cause,
        });
      }
    },
    size: () => (count.get() as { readonly entries: number }).entries,
    close,
    [Symbol.dispose]: close,
  };
}

function prepare(database: Database.Database, file: string): void {
  let version: number;
  try {
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;');
    const check = database.prepare('PRAGMA quick_check').get() as { readonly quick_check: string };
    if (check.quick_check !== 'ok') throw new Error(check.quick_check);
    version = (database.prepare('PRAGMA user_version').get() as { readonly user_version: number })
      .user_version;
  } catch (cause) {
    throw new SafeInferError(`${file} is no store or is damaged: ${(cause as Error).message}`, {
      code: 'BAD_FILE',
      hint: 'move it away; a new one is made, and finished answers are generated again',
      cause,
    });
  }
  if (version > MIGRATIONS.length) {
    throw new SafeInferError(
      `${file} has schema version ${version}, this safeinfer knows ${MIGRATIONS.length}`,
      { code: 'BAD_FILE', hint: 'use the newer safeinfer that made it, or another --store' },
    );
  }
  for (const [index, migration] of MIGRATIONS.entries()) {
    if (index < version) continue;
    database.exec(`BEGIN IMMEDIATE; ${migration} PRAGMA user_version = ${index + 1}; COMMIT;`);
  }
}
