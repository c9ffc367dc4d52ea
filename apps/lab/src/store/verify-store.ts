// Whether a store is what was written: SQLite's own check, and the hash of every value.
import { contentSha, type Store } from './open-store.ts';

export interface StoreCheck {
  readonly entries: number;
  /** What SQLite finds wrong with its pages; empty when nothing. */
  readonly pages: readonly string[];
  /** Keys whose value is not what was written. */
  readonly changed: readonly string[];
}

export function verifyStore({ database }: Store): StoreCheck {
  const pages = (
    database.prepare('PRAGMA integrity_check').all() as { readonly integrity_check: string }[]
  )
    .map((row) => row.integrity_check)
    .filter((text) => text !== 'ok');
  const changed: string[] = [];
  let entries = 0;
  const rows = database.prepare('SELECT key, value, sha256 FROM content').iterate();
  for (const row of rows as Iterable<{ key: string; value: string; sha256: string | null }>) {
    entries += 1;
    if (row.sha256 !== null && contentSha(row.value) !== row.sha256) changed.push(row.key);
  }
  return { entries, pages, changed };
}
