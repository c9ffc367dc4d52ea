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
