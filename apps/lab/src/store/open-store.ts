// Finished work by content address, in one SQLite file: a killed run loses at most the batch in hand.
import { createHash } from 'node:crypto';
import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { SafeInferError } from '@safeinfer/backend';
import Database from 'libsql';
import { MIGRATIONS } from './schema.ts';

/** Why an item has no answer; kept so that a resumed run does not try it again until it is told to. */
export interface StoredFailure {
  readonly failureClass: string;
  readonly message: string;
}

export interface Store extends Disposable {
  readonly file: string;
  /** For the tables beside the content: leases, uses. */
  readonly database: Database.Database;
  get(key: string): unknown;
  has(key: string): boolean;
  /** Writes all entries or none: what belongs together is found together after a crash. */
  set(entries: ReadonlyMap<string, unknown>): void;
  failure(key: string): StoredFailure | undefined;
  setFailures(entries: ReadonlyMap<string, StoredFailure>): void;
  /** Notes about this machine (hashes of files, measured rates): never part of a result. */
  recall(name: string): unknown;
  remember(name: string, value: unknown): void;
  /** Entries in the store. */
  size(): number;
  close(): void;
}

/** Keeps everything for the life of the process only. */
const MEMORY = ':memory:';
/** Waits this long for another process that writes to the same store (milliseconds). */
const BUSY_TIMEOUT = 10_000;
/** Larger files are checked by `safeinfer verify` only: reading them whole would delay every command. */
const QUICK_CHECK_BYTES = 256 * 1024 * 1024;

/**
 * Opens or creates a store. Every `set` is one transaction (WAL, synchronous NORMAL: it survives a killed process).
 * @throws IO for a file that cannot be opened, BAD_FILE for one that is no store, is damaged or is of a newer version
 */
export function openStore(file: string): Store {
  let database: Database.Database;
  try {
    if (file !== MEMORY) mkdirSync(dirname(file), { recursive: true });
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
  return storeOf(database, file);
}

/** Whether a value is still what was written. */
export function contentSha(json: string): string {
  return createHash('sha256').update(json).digest('hex');
}

function storeOf(database: Database.Database, file: string): Store {
  const get = database.prepare('SELECT value FROM content WHERE key = ?');
  const has = database.prepare('SELECT 1 AS found FROM content WHERE key = ?');
  const set = database.prepare(
    'INSERT OR REPLACE INTO content (key, value, sha256) VALUES (?, ?, ?)',
  );
  const failure = database.prepare('SELECT class, message FROM failure WHERE key = ?');
  const setFailure = database.prepare(
    'INSERT OR REPLACE INTO failure (key, class, message) VALUES (?, ?, ?)',
  );
  const recall = database.prepare('SELECT value FROM memo WHERE name = ?');
  const remember = database.prepare('INSERT OR REPLACE INTO memo (name, value) VALUES (?, ?)');
  const count = database.prepare('SELECT count(*) AS entries FROM content');
  const write = database.transaction((entries: ReadonlyMap<string, unknown>) => {
    for (const [key, value] of entries) {
      const json = JSON.stringify(value);
      set.run(key, json, contentSha(json));
    }
  });
  const writeFailures = database.transaction((entries: ReadonlyMap<string, StoredFailure>) => {
    for (const [key, { failureClass, message }] of entries)
      setFailure.run(key, failureClass, message);
  });
  const close = (): void => {
    if (database.open) database.close();
  };
  const guarded = (work: () => void): void => {
    try {
      work();
    } catch (cause) {
      throw new SafeInferError(`cannot write to the store ${file}: ${(cause as Error).message}`, {
        code: 'IO',
        hint: 'free some disk space and run the same command again: finished answers are kept',
        cause,
      });
    }
  };
  return {
    file,
    database,
    get: (key) => parsedValue(get.get(key)),
    has: (key) => has.get(key) !== undefined,
    set: (entries) => guarded(() => write(entries)),
    failure: (key) => {
      const row = failure.get(key) as
        | { readonly class: string; readonly message: string }
        | undefined;
      return row && { failureClass: row.class, message: row.message };
    },
    setFailures: (entries) => guarded(() => writeFailures(entries)),
    recall: (name) => parsedValue(recall.get(name)),
    remember: (name, value) => guarded(() => void remember.run(name, JSON.stringify(value))),
    size: () => (count.get() as { readonly entries: number }).entries,
    close,
    [Symbol.dispose]: close,
  };
}

function parsedValue(row: unknown): unknown {
  const found = row as { readonly value: string } | undefined;
  return found === undefined ? undefined : (JSON.parse(found.value) as unknown);
}

function prepare(database: Database.Database, file: string): void {
  let version: number;
  try {
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;');
    if (file !== MEMORY && statSync(file).size < QUICK_CHECK_BYTES) {
      const check = database.prepare('PRAGMA quick_check').get() as {
        readonly quick_check: string;
      };
      if (check.quick_check !== 'ok') throw new Error(check.quick_check);
    }
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
  if (version < MIGRATIONS.length) migrate(database);
}

function migrate(database: Database.Database): void {
  // Another process may be doing the same: the version is read again under the write lock.
  database.exec('BEGIN IMMEDIATE');
  try {
    const { user_version: version } = database.prepare('PRAGMA user_version').get() as {
      readonly user_version: number;
    };
    for (const migration of MIGRATIONS.slice(version)) database.exec(migration);
    database.exec(`PRAGMA user_version = ${MIGRATIONS.length}`);
    database.exec('COMMIT');
  } catch (error) {
    database.exec('ROLLBACK');
    throw error;
  }
}
