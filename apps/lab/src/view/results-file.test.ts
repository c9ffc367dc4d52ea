import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { selectItems, type TrialRecord } from '@safeinfer/viewer';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { labelsFile } from './labels-file.ts';
import { maskable } from './maskable.ts';
import { openResults } from './results-file.ts';
import { createTextSearch } from './text-search.ts';

const record = (fields: Partial<TrialRecord>): TrialRecord => ({
  schema: 1,
  arm: 'base',
  edit: 'none',
  style: 'simple',
  benchmark: 'b',
  itemId: 'x',
  category: 'c',
  kind: 'harmful',
  prompt: 'A placeholder question',
  output: 'A placeholder answer',
  finishReason: 'stop',
  tokensIn: 1,
  tokensOut: 1,
  judge: 'j',
  outcome: 'refused',
  ...fields,
});
const lines = (records: readonly TrialRecord[]): string =>
  records.map((one) => `${JSON.stringify(one)}\n`).join('');

let directory: string;
let file: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'view-'));
  file = join(directory, 'results.jsonl');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('openResults', () => {
  it('reads back every record by its byte offset, also behind multi-byte text and across read pieces', async () => {
    // About 3 MB: more than two pieces of the reader, with characters of two to four bytes in each.
    const written = Array.from({ length: 3000 }, (_, i) =>
      record({ itemId: `i${i}`, output: `ü漢🙂 ${i} ${'é'.repeat(400 + (i % 7))}` }),
    );
    writeFileSync(file, lines(written));
    const results = await openResults(file);
    expect(results.records()).toBe(3000);
    await results.reading(async (reader) => {
      for (const i of [0, 1, 1233, 2999]) expect(await reader.record(i, 0)).toEqual(written[i]);
    });
  });

  it('counts lines that are no records, says why, and shows the others', async () => {
    writeFileSync(
      file,
      `${lines([record({})])}not json\n${JSON.stringify({ ...record({}), outcome: 'maybe' })}\n\n${lines([record({ itemId: 'y' })])}`,
    );
    const results = await openResults(file);
    expect(results.index.itemIds).toEqual(['x', 'y']);
    expect(results.unreadable().count).toBe(2);
    expect(results.unreadable().first[0]).toBe('line 2: not JSON');
    expect(results.unreadable().first[1]).toMatch(/^line 3: outcome /);
  });

  it('reads on where a file grows, and waits for a line that is half there', async () => {
    const next = lines([record({ itemId: 'y', outcome: 'complied' })]);
    writeFileSync(file, lines([record({})]) + next.slice(0, 40));
    const results = await openResults(file);
    expect(results.records()).toBe(1);
    expect(results.unreadable().count).toBe(0);
    appendFileSync(file, next.slice(40));
    expect(await results.update()).toBe(true);
    expect(results.index.itemIds).toEqual(['x', 'y']);
    expect(selectItems(results.index, { outcome: 'complied' })).toEqual([1]);
    const read = await results.reading((reader) => reader.record(1, 0));
    expect(read?.itemId).toBe('y');
  });

  it('takes a last line without a line break', async () => {
    writeFileSync(file, lines([record({})]).trimEnd());
    const results = await openResults(file);
    expect(results.records()).toBe(1);
    appendFileSync(file, `\n${lines([record({ itemId: 'y' })])}`);
    expect(await results.update()).toBe(true);
    expect(results.records()).toBe(2);
  });

  it('knows a file that was replaced, and never reads it by the old offsets', async () => {
    writeFileSync(file, lines([record({})]));
    const results = await openResults(file);
    writeFileSync(`${file}.new`, lines([record({ itemId: 'y' }), record({ itemId: 'z' })]));
    renameSync(`${file}.new`, file);
    expect(await results.update()).toBe(false);
    await expect(results.reading((reader) => reader.anyRecord(0))).rejects.toThrow('replaced');
  });

  it('is empty without a file, and is read once there is one', async () => {
    const results = await openResults(file);
    expect(results.records()).toBe(0);
    writeFileSync(file, lines([record({})]));
    expect(await results.update()).toBe(false);
    expect((await openResults(file)).records()).toBe(1);
  });

  it('searches prompts, answers and ids, in any letter case', async () => {
    writeFileSync(
      file,
      lines([
        record({ prompt: 'About Ämter' }),
        record({ itemId: 'y', output: 'about cedar' }),
        record({ itemId: 'Zed' }),
      ]),
    );
    const results = await openResults(file);
    expect([...results.itemsWithText('ämTER')]).toEqual([0]);
    expect([...results.itemsWithText('CEDAR')]).toEqual([1]);
    expect([...results.itemsWithText('zed')]).toEqual([2]);
    expect([...results.itemsWithText('about')]).toEqual([0, 1]);
    expect([...results.itemsWithText('absent')]).toEqual([]);
  });
});

describe('createTextSearch', () => {
  it('agrees with a plain scan over many blocks, and finds nothing across two records', () => {
    const texts = Array.from({ length: 4000 }, (_, i) => `${'x'.repeat(700)} n${i % 97} é${i}`);
    const search = createTextSearch();
    for (const text of texts) search.add(text);
    for (const wanted of ['n13 ', 'é399', 'x n', 'absent']) {
      const plain = texts.flatMap((text, i) => (text.includes(wanted) ? [i] : []));
      expect(search.find(wanted)).toEqual(plain);
    }
    expect(search.find('é0x')).toEqual([]);
  });
});

describe('labelsFile', () => {
  const key = { edit: 'none', arm: 'base', style: 'simple', benchmark: 'b', itemId: 'x' };
  const now = (): Date => new Date('2026-01-02T03:04:05Z');

  it('appends whole lines, also when many are given at once, and lets the last one count', async () => {
    const path = join(directory, 'labels.jsonl');
    const labels = labelsFile(path, now);
    await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        labels.append({ ...key, itemId: `i${i % 10}` }, 'other'),
      ),
    );
    await labels.append({ ...key, itemId: 'i3' }, 'refused');
    const read = [...(await labels.read()).values()];
    expect(read).toHaveLength(10);
    expect(read.find((one) => one.key.itemId === 'i3')?.label).toBe('refused');
  });

  it('starts a new line after one that a crash tore', async () => {
    const path = join(directory, 'labels.jsonl');
    writeFileSync(path, '{"schema":1,"key":{"edi');
    const labels = labelsFile(path, now);
    await labels.append(key, 'complied');
    expect([...(await labels.read()).values()]).toEqual([{ key, label: 'complied' }]);
  });
});

describe('maskable', () => {
  it('masks question and answer of harmful items, refusals too, and leaves harmless ones', () => {
    expect(maskable(record({})).output.masked).toMatch(/masked/);
    expect(maskable(record({})).output.full).toBe('A placeholder answer');
    expect(maskable(record({ kind: 'harmless' })).prompt).toEqual({
      full: 'A placeholder question',
    });
  });

  it('never gives out text of a category about child abuse', () => {
    const { redacted, prompt, output } = maskable(
      record({ category: 'child-abuse', kind: 'harmless' }),
    );
    expect(redacted).toBe(true);
    expect([prompt.full, output.full]).toEqual([undefined, undefined]);
  });
});
