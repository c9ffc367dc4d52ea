import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStore } from './open-store.ts';

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

  it('refuses a directory that cannot be made', () => {
    writeFileSync(join(folder, 'file'), '');
    expect(() => openStore(join(folder, 'file/store.sqlite'))).toThrowError(
      expect.objectContaining({ code: 'IO' }),
    );
  });
});
