import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Unit } from '../plan/unit.ts';
import { openStore } from '../store/open-store.ts';
import { collected } from '../store/stored-generate.ts';
import { createLeases } from './leases.ts';
import { createStoreQueue } from './store-queue.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'safeinfer-leases-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('leases', () => {
  it('give a unit to one owner at a time', () => {
    using store = openStore(join(folder, 'one.sqlite'));
    using other = openStore(join(folder, 'one.sqlite'));
    using mine = createLeases(store);
    using theirs = createLeases(other);
    expect(mine.claim('u')).toBe(true);
    expect(mine.claim('u')).toBe(true);
    expect(theirs.claim('u')).toBe(false);
    expect(theirs.claim('v')).toBe(true);
    mine.release('u');
    expect(theirs.claim('u')).toBe(true);
  });

  it('outlive their term while the owner lives, and expire when it does not', async () => {
    using store = openStore(join(folder, 'two.sqlite'));
    const dead = { unit: 'dead', owner: 'a killed process', until: Date.now() + 120 };
    store.database
      .prepare('INSERT INTO lease (unit, owner, until) VALUES (?, ?, ?)')
      .run(dead.unit, dead.owner, dead.until);
    using alive = createLeases(store, { leaseMs: 80 });
    using theirs = createLeases(store, { leaseMs: 80 });
    expect(alive.claim('kept')).toBe(true);
    expect(theirs.claim('dead')).toBe(false);
    await sleep(200);
    expect(theirs.claim('kept')).toBe(false);
    expect(theirs.claim('dead')).toBe(true);
  });
});

function unit(id: string): Unit {
  return {
    id,
    edit: 0,
    arm: 0,
    context: { identities: ['i'], maxNewTokens: 1, seed: null },
    trials: [],
    keys: [[`${id}-a`], [`${id}-b`]],
  };
}

describe('two processes on one store', () => {
  it('share the units, make each once, and both see all of them', async () => {
    const file = join(folder, 'shared.sqlite');
    const units = Array.from({ length: 40 }, (_, i) => unit(`u${i}`));
    const { signal } = new AbortController();
    const made: string[] = [];
    const process = async (): Promise<{ done: number; own: number }> => {
      using store = openStore(file);
      await using queue = createStoreQueue({ store, signal });
      let done = 0;
      let own = 0;
      await queue.offer({
        units,
        needs: [],
        work: async ({ id, keys }) => {
          await sleep(2);
          made.push(id);
          own += 1;
          const into = collected();
          for (const [key] of keys) into.answers.set(key!, { text: id, finishReason: 'stop' });
          return into;
        },
        onDone: () => {
          done += 1;
        },
      });
      return { done, own };
    };
    const both = await Promise.all([process(), process()]);
    expect(made.toSorted()).toEqual(units.map(({ id }) => id).toSorted());
    expect(both.map(({ done }) => done)).toEqual([40, 40]);
    // Negative control: neither did it alone.
    expect(both.every(({ own }) => own > 5)).toBe(true);
  });
});
