// Which entries a run directory needs: what gc must keep.
import type { Store } from './open-store.ts';

export interface Uses {
  /** Replaces what the run used before. */
  begin(keys: Iterable<string>): void;
  add(keys: Iterable<string>): void;
}

/** `run`: the run directory's absolute path. */
export function usesOf(store: Store, run: string): Uses {
  const { database } = store;
  const forget = database.prepare('DELETE FROM use WHERE run = ?');
  const insert = database.prepare('INSERT OR IGNORE INTO use (run, key) VALUES (?, ?)');
  const add = database.transaction((keys: Iterable<string>) => {
    for (const key of keys) insert.run(run, key);
  });
  const begin = database.transaction((keys: Iterable<string>) => {
    forget.run(run);
    for (const key of keys) insert.run(run, key);
  });
  return { begin: (keys) => void begin(keys), add: (keys) => void add(keys) };
}

/** How much of what a run needs is there. */
export function usedCounts(
  { database }: Store,
  run: string,
): { readonly used: number; readonly stored: number; readonly failed: number } {
  return database
    .prepare(
      `SELECT count(*) AS used, count(content.key) AS stored, count(failure.key) AS failed
       FROM use LEFT JOIN content ON content.key = use.key LEFT JOIN failure ON failure.key = use.key
       WHERE use.run = ?`,
    )
    .get(run) as { readonly used: number; readonly stored: number; readonly failed: number };
}

/** Run directories that the store knows. */
export function knownRuns({ database }: Store): string[] {
  const rows = database.prepare('SELECT DISTINCT run FROM use ORDER BY run').all();
  return (rows as { readonly run: string }[]).map(({ run }) => run);
}

/** Entries that none of `runs` needs, and their size in characters. */
export function unused(
  store: Store,
  runs: readonly string[],
): { readonly entries: number; readonly characters: number } {
  return store.database
    .prepare(
      `SELECT count(*) AS entries, coalesce(sum(length(value)), 0) AS characters FROM content
       WHERE key NOT IN (SELECT key FROM use WHERE run IN (SELECT value FROM json_each(?)))`,
    )
    .get(JSON.stringify(runs)) as { readonly entries: number; readonly characters: number };
}

/** Drops what none of `runs` needs, and gives the space back. */
export function dropUnused({ database }: Store, runs: readonly string[]): void {
  const list = JSON.stringify(runs);
  database.transaction(() => {
    database.prepare('DELETE FROM use WHERE run NOT IN (SELECT value FROM json_each(?))').run(list);
    database.prepare('DELETE FROM content WHERE key NOT IN (SELECT key FROM use)').run();
    database.prepare('DELETE FROM failure WHERE key NOT IN (SELECT key FROM use)').run();
  })();
  database.exec('VACUUM');
}
