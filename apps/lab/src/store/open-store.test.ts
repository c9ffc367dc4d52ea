import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStore } from './open-store.ts';
import { MIGRATIONS } from './schema.ts';
import { dropUnused, knownRuns, unused, usesOf } from './uses.ts';
import { verifyStore } from './verify-store.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'safeinfer-store-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('openStore', () => {
  it('keeps values over a reopening', () => {
    const file = join(folder, 'kept.sqlite');
    {
      using store = openStore(file);
      store.set(new Map([['a', { text: 'é\n"', list: [1, 2.5, null] }]]));
      expect(store.get('a')).toEqual({ text: 'é\n"', list: [1, 2.5, null] });
      store.set(new Map([['a', { text: 'second' }]]));
      expect(store.get('b')).toBeUndefined();
    }
    using store = openStore(file);
    expect(store.get('a')).toEqual({ text: 'second' });
    expect(store.size()).toBe(1);
  });

  it('serves two openings of one file at once', () => {
    const file = join(folder, 'shared.sqlite');
    using first = openStore(file);
    using second = openStore(file);
    first.set(new Map([['x', 1]]));
    second.set(new Map([['y', 2]]));
    expect(second.get('x')).toBe(1);
    expect(first.get('y')).toBe(2);
  });

  it('writes a set whole or not at all', () => {
    using store = openStore(join(folder, 'whole.sqlite'));
    const circular: Record<string, unknown> = {};
    circular['self'] = circular;
    expect(() =>
      store.set(
        new Map<string, unknown>([
          ['good', 1],
          ['bad', circular],
        ]),
      ),
    ).toThrowError(expect.objectContaining({ code: 'IO' }));
    expect(store.get('good')).toBeUndefined();
  });

  it('refuses a file that is no store, and a store of a newer version', () => {
    const text = join(folder, 'text.sqlite');
    writeFileSync(
      text,
      'this is not a database, but a text that is longer than its header would be',
    );
    expect(() => openStore(text)).toThrowError(expect.objectContaining({ code: 'BAD_FILE' }));
    const newer = join(folder, 'newer.sqlite');
    const database = new Database(newer);
    database.exec('PRAGMA user_version = 99');
    database.close();
    expect(() => openStore(newer)).toThrowError(/schema version 99/);
  });

  it('brings a store of version 1 forward, with everything in it', () => {
    const file = join(folder, 'old.sqlite');
    const database = new Database(file);
    database.exec(`${MIGRATIONS[0]} PRAGMA user_version = 1;`);
    database.prepare('INSERT INTO content (key, value) VALUES (?, ?)').run('k', '{"text":"old"}');
    database.close();
    using store = openStore(file);
    expect(store.get('k')).toEqual({ text: 'old' });
    expect(verifyStore(store)).toEqual({ entries: 1, pages: [], changed: [] });
    store.setFailures(new Map([['f', { failureClass: 'permanent', message: 'm' }]]));
    expect(store.failure('f')).toEqual({ failureClass: 'permanent', message: 'm' });
  });

  it('notices a value that was changed behind its back', () => {
    using store = openStore(join(folder, 'changed.sqlite'));
    store.set(new Map([['a', { text: 'x' }]]));
    expect(verifyStore(store).changed).toEqual([]);
    store.database.exec(`UPDATE content SET value = '{"text":"y"}' WHERE key = 'a'`);
    expect(verifyStore(store).changed).toEqual(['a']);
  });

  it('drops what no run uses, and keeps the rest', () => {
    using store = openStore(join(folder, 'gc.sqlite'));
    store.set(
      new Map([
        ['a', 1],
        ['b', 2],
        ['c', 3],
      ]),
    );
    usesOf(store, '/run/one').begin(['a', 'b']);
    usesOf(store, '/run/two').begin(['b', 'c']);
    usesOf(store, '/run/one').begin(['a']);
    expect(unused(store, ['/run/one']).entries).toBe(2);
    dropUnused(store, ['/run/one']);
    expect([store.has('a'), store.has('b'), store.has('c')]).toEqual([true, false, false]);
    expect(knownRuns(store)).toEqual(['/run/one']);
  });

  it('refuses a directory that cannot be made', () => {
    writeFileSync(join(folder, 'file'), '');
    expect(() => openStore(join(folder, 'file/store.sqlite'))).toThrowError(
      expect.objectContaining({ code: 'IO' }),
    );
  });
});

const mounted = process.getuid?.() === 0 && spawnSync('mount', ['--version']).status === 0;

describe.runIf(mounted)('a full disk (skipped where nothing can be mounted)', () => {
  it('is a clear error, and what was stored before stays', () => {
    const disk = join(folder, 'disk');
    mkdirSync(disk);
    const made = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk]);
    expect(made.status).toBe(0);
    try {
      const file = join(disk, 'store.sqlite');
      {
        using store = openStore(file);
        store.set(new Map([['kept', { text: 'x' }]]));
        const fill = (): void => {
          for (let i = 0; i < 40; i += 1) store.set(new Map([[`k${i}`, 'y'.repeat(100_000)]]));
        };
        expect(fill).toThrowError(
          expect.objectContaining({ code: 'IO', hint: expect.stringContaining('disk space') }),
        );
      }
      using again = openStore(file);
      expect(again.get('kept')).toEqual({ text: 'x' });
      expect(verifyStore(again).pages).toEqual([]);
    } finally {
      // Lazily: the driver gives a closed file back when its statements are collected.
      spawnSync('umount', ['-l', disk]);
    }
  });
});
