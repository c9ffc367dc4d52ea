// What `retry` forgets before it runs again: failures of the run's own items. Unscored verdicts are never stored.
import type { Store } from '../store/open-store.ts';

/** Returns how many items will be tried again. */
export function forgetFailures(store: Store, run: string): number {
  return store.database
    .prepare('DELETE FROM failure WHERE key IN (SELECT key FROM use WHERE run = ?)')
    .run(run).changes;
}
