// Leases in the store: who is working on what, so that several processes of one machine share a run.
import { randomUUID } from 'node:crypto';
import type { Store } from '../store/open-store.ts';

/** A process that has not renewed for so long is taken for dead (milliseconds). */
const LEASE_MS = 30_000;
/** Renewals per lease: two may be missed while a forward pass keeps the thread busy. */
const RENEWALS = 4;

export interface Leases extends Disposable {
  /** True when the unit is ours now; false when another process holds it. */
  claim(unit: string): boolean;
  release(unit: string): void;
}

export function createLeases(store: Store, options: { readonly leaseMs?: number } = {}): Leases {
  const { database } = store;
  const { leaseMs = LEASE_MS } = options;
  const owner = randomUUID();
  // One statement, so that two processes cannot both see the lease free.
  const claim = database.prepare(
    `INSERT INTO lease (unit, owner, until) VALUES (?, ?, ?)
     ON CONFLICT (unit) DO UPDATE SET owner = excluded.owner, until = excluded.until
     WHERE lease.until < ? OR lease.owner = excluded.owner`,
  );
  const renew = database.prepare('UPDATE lease SET until = ? WHERE owner = ?');
  const release = database.prepare('DELETE FROM lease WHERE unit = ? AND owner = ?');
  const releaseAll = database.prepare('DELETE FROM lease WHERE owner = ?');
  const held = new Set<string>();
  const timer = setInterval(() => {
    if (held.size > 0 && database.open) renew.run(Date.now() + leaseMs, owner);
  }, leaseMs / RENEWALS);
  timer.unref();
  return {
    claim(unit) {
      const now = Date.now();
      const mine = claim.run(unit, owner, now + leaseMs, now).changes === 1;
      if (mine) held.add(unit);
      return mine;
    },
    release(unit) {
      held.delete(unit);
      release.run(unit, owner);
    },
    [Symbol.dispose]() {
      clearInterval(timer);
      if (database.open) releaseAll.run(owner);
    },
  };
}
