// The queue of one machine: this process works through the units and leaves alone what another one holds.
import { setTimeout as sleep } from 'node:timers/promises';
import { throwIfAborted } from '@safeinfer/backend';
import type { Unit } from '../plan/unit.ts';
import type { Store } from '../store/open-store.ts';
import type { Collected } from '../store/stored-generate.ts';
import { createLeases } from './leases.ts';
import type { WorkQueue } from './work-queue.ts';

/** How often units that another process holds are looked at again (milliseconds). */
const LOOK_AGAIN_MS = 50;

/** Whether every trial has an answer or a recorded failure. */
export function isStored(unit: Unit, store: Store): boolean {
  return unit.keys.every(
    (own) => own.some((key) => store.has(key)) || store.failure(own[0]!) !== undefined,
  );
}

/** One transaction of answers: a unit is there whole or not at all. */
export function keep({ answers, failures }: Collected, store: Store): void {
  if (failures.size > 0) store.setFailures(failures);
  store.set(answers);
}

export function createStoreQueue(options: {
  readonly store: Store;
  readonly signal: AbortSignal;
  readonly leaseMs?: number;
}): WorkQueue {
  const { store, signal } = options;
  const leases = createLeases(store, options);
  return {
    async offer({ units, work, onDone }) {
      let open = units;
      while (open.length > 0) {
        const held: Unit[] = [];
        for (const unit of open) {
          throwIfAborted(signal);
          if (isStored(unit, store)) onDone(unit);
          else if (!leases.claim(unit.id)) held.push(unit);
          else {
            let made: Collected | undefined;
            try {
              // Between the look and the claim another process may have finished it.
              if (!isStored(unit, store)) {
                made = await work(unit);
                keep(made, store);
              }
            } finally {
              leases.release(unit.id);
            }
            onDone(unit, made);
          }
        }
        open = held;
        if (open.length > 0)
          await sleep(LOOK_AGAIN_MS, undefined, { signal }).catch(() => undefined);
      }
    },
    finish: async () => undefined,
    [Symbol.asyncDispose]: async () => leases[Symbol.dispose](),
  };
}
