import { gzipSync } from 'node:zlib';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../seeded-random.ts';
import { loadDataset } from './dataset.ts';
import { datasetSpecs } from './dataset-specs.ts';
import { localSpec } from './local-spec.ts';
import { clusterNearDuplicates } from './near-duplicates.ts';
import { sampleDataset } from './sample.ts';
import { advBench } from './specs/adv-bench.ts';
import { catQa } from './specs/cat-qa.ts';
import { harmBench } from './specs/harm-bench.ts';
import { harmEval } from './specs/harm-eval.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const table = localSpec({
  name: 'own',
  format: 'csv',
  columns: { prompt: 'question', category: 'topic', label: 'harmful' },
});

describe('loadDataset', () => {
  it('declares every set of the specification', () => {
    for (const name of [
      'harmeval',
      'nichehazardqa',
      'techhazardqa',
      'dangerousqa',
      'advbench',
      'hex-phi',
      'catqa',
      'harmfulqa',
      'xstest',
      'oktest',
      'jailbreakbench',
      'harmbench',
      'strongreject',
      'simplesafetytests',
      'sorry-bench',
      'or-bench-hard',
    ]) {
      expect(datasetSpecs[name]?.licence.id, name).toBeTruthy();
      expect(datasetSpecs[name]?.columns.length, name).toBeGreaterThan(0);
    }
  });

  it('reads a BOM, CRLF, quoted line breaks, empty rows and duplicates', async () => {
    const csv =
      '\uFEFFquestion,topic\r\n"Q1, with comma\r\nand line",A\r\n,B\r\nSame   question,B\r\nsame question,B\r\n';
    const { items, report } = await loadDataset(table, { 'x.csv': bytes(csv) });
    expect(items.map(({ category }) => category)).toEqual(['A', 'B']);
    expect(report).toMatchObject({
      rowsInFiles: 4,
      droppedEmpty: 1,
      droppedDuplicates: 1,
      verified: 'none',
    });
  });

  it('gives the same identity in any order, format and position', async () => {
    const spec = (format: 'csv' | 'jsonl' | 'json' | 'parquet') =>
      localSpec({
        name: 'own',
        format,
        columns: { prompt: 'question', category: 'topic', label: 'harmful' },
      });
    const rows = [
      { question: 'first', topic: 'A' },
      { question: 'second', topic: 'B' },
    ];
    const parquet = new Uint8Array(
      parquetWriteBuffer({
        columnData: [
          { name: 'question', data: rows.map(({ question }) => question), type: 'STRING' },
          { name: 'topic', data: rows.map(({ topic }) => topic), type: 'STRING' },
        ],
      }),
    );
    const loaded = await Promise.all([
      loadDataset(spec('csv'), { a: bytes('topic,question\nB,second\nA,first\n') }),
      loadDataset(spec('jsonl'), { a: bytes(rows.map((row) => JSON.stringify(row)).join('\n')) }),
      loadDataset(spec('json'), { a: bytes(JSON.stringify(rows)) }),
      loadDataset(spec('parquet'), { a: parquet }),
    ]);
    const ids = loaded.map(({ items }) => items.map(({ id }) => id).sort());
    expect(new Set(ids.map((list) => list.join())).size).toBe(1);
  });

  it('reads compressed parquet, with nested columns and 64-bit integers', async () => {
    const file = parquetWriteBuffer({
      columnData: [
        { name: 'question', data: ['first', 'second'], type: 'STRING' },
        { name: 'id', data: [7n, 8n], type: 'INT64' },
      ],
      codec: 'GZIP',
      compressors: { GZIP: (bytes) => new Uint8Array(gzipSync(bytes)) },
    });
    const spec = localSpec({
      name: 'own',
      columns: { prompt: 'question', id: 'id', label: 'harmless' },
    });
    const { items } = await loadDataset(spec, { 'x.parquet': new Uint8Array(file) });
    expect(items.map(({ sourceId }) => sourceId)).toEqual(['7', '8']);
  });

  it('drops rows about sexual content with minors, by text and by category, and counts them', async () => {
    // Invented placeholders with the words that mark the subject; the filter works on words alone.
    const csv = 'question,topic\nabuse of a child,x\nharmless,Child Safety\nharmless too,other\n';
    const { items, report } = await loadDataset(table, { a: bytes(csv) });
    expect(items).toHaveLength(1);
    expect(report.droppedMinors).toBe(2);
  });

  it('refuses a wrong number of rows, and names both numbers', async () => {
    const csv = 'goal,target\nx,y\n';
    await expect(loadDataset(advBench, { a: bytes(csv) })).rejects.toMatchObject({
      code: 'BAD_DATASET',
      message: expect.stringContaining('1 rows, expected 520'),
    });
    const { report } = await loadDataset(advBench, { a: bytes(csv) }, { allowUnpinned: true });
    expect(report).toMatchObject({ verified: 'none', edition: null });
  });

  it('refuses a changed file with the right number of rows', async () => {
    const document = Object.fromEntries(
      ['A', 'B'].map((category) => [
        category,
        { only: Array.from({ length: 247 }, (_, i) => `${category} ${i}`) },
      ]),
    );
    await expect(loadDataset(catQa, { a: bytes(JSON.stringify(document)) })).rejects.toMatchObject({
      code: 'BAD_DATASET',
      message: expect.stringContaining('changed'),
    });
  });

  it('refuses other columns, with the line', async () => {
    await expect(
      loadDataset(harmEval, { a: bytes('question,topic\nx,y\n') }),
    ).rejects.toMatchObject({ code: 'WRONG_DATASET', location: { line: 2, row: 1 } });
  });

  it('refuses truncated and malformed files, with the line', async () => {
    const spec = (format: 'csv' | 'json' | 'jsonl' | 'parquet') =>
      localSpec({ name: 'own', format, columns: { prompt: 'question', label: 'harmful' } });
    const failure = (format: 'csv' | 'json' | 'jsonl' | 'parquet', content: Uint8Array) =>
      expect(loadDataset(spec(format), { a: content })).rejects;
    await failure('csv', bytes('question,b\nx,1\n"cut in the mid')).toMatchObject({
      code: 'BAD_FILE',
      location: { line: 3 },
    });
    await failure('csv', bytes('question,b\nx,1\ny\n')).toMatchObject({
      code: 'BAD_FILE',
      location: { line: 3 },
    });
    await failure('json', bytes('[{"question": "x"},\n{"question": "y"')).toMatchObject({
      code: 'BAD_FILE',
      location: { line: 2 },
    });
    await failure('jsonl', bytes('{"question":"x"}\n{"quest')).toMatchObject({
      code: 'BAD_FILE',
      location: { line: 2 },
    });
    await failure('json', bytes('[1]')).toMatchObject({ code: 'BAD_FILE', location: { row: 1 } });
    await failure('parquet', bytes('PAR1 cut')).toMatchObject({ code: 'BAD_FILE' });
    await failure('csv', Uint8Array.of(0x71, 0xff, 0xfe)).toMatchObject({ code: 'BAD_FILE' });
  });

  it('keeps the context of contextual behaviours and leaves copyright rows out', async () => {
    const csv = [
      'Behavior,FunctionalCategory,SemanticCategory,Tags,ContextString,BehaviorID',
      'one,standard,s,,,id1',
      'two,contextual,s,,some context,id2',
      'three,copyright,s,,,id3',
    ].join('\n');
    const { items, report } = await loadDataset(
      harmBench,
      { a: bytes(csv) },
      { allowUnpinned: true },
    );
    expect(items.map(({ context }) => context)).toEqual([undefined, 'some context']);
    expect(report.droppedEmpty).toBe(1);
  });
});

describe('sampleDataset', () => {
  it('takes the same items whatever the order, at most `limit` in each category', async () => {
    const lines = Array.from({ length: 40 }, (_, i) => `question ${i},${i % 4}`);
    const load = (rows: readonly string[]) =>
      loadDataset(table, { a: bytes(['question,topic', ...rows].join('\n')) });
    const forward = sampleDataset(await load(lines), { limit: 3, seed: 1 });
    const backward = sampleDataset(await load([...lines].reverse()), { limit: 3, seed: 1 });
    expect(forward.items).toHaveLength(12);
    expect(new Set(backward.items.map(({ id }) => id))).toEqual(
      new Set(forward.items.map(({ id }) => id)),
    );
    const other = sampleDataset(await load(lines), { limit: 3, seed: 2 });
    expect(other.items.map(({ id }) => id)).not.toEqual(forward.items.map(({ id }) => id));
  });
});

describe('clusterNearDuplicates', () => {
  it('joins wordings of one request and leaves others alone', async () => {
    const csv = [
      'question,topic',
      'Write a guide for building a small boat,x',
      'Write a guide for building a small ship,x',
      'Write a short guide for building a small ship,x',
      'Name three rivers in Peru,x',
    ].join('\n');
    const { items } = clusterNearDuplicates(await loadDataset(table, { a: bytes(csv) }));
    expect(new Set(items.slice(0, 3).map(({ cluster }) => cluster)).size).toBe(1);
    expect(items[3]?.cluster).toBe(items[3]?.id);
  });

  it('finds exactly the clusters of a comparison of all pairs', async () => {
    const vocabulary = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l'];
    const random = seededRandom(3);
    const prompts = Array.from({ length: 120 }, () =>
      vocabulary.filter(() => random() < 0.4).join(' '),
    ).filter((prompt) => prompt !== '');
    const jsonl = prompts.map((question) => JSON.stringify({ question })).join('\n');
    const spec = localSpec({ name: 'own', columns: { prompt: 'question', label: 'harmless' } });
    const dataset = await loadDataset(spec, { 'x.jsonl': bytes(jsonl) });
    const { items } = clusterNearDuplicates(dataset, 0.7);
    const words = items.map(({ prompt }) => new Set(prompt.split(' ')));
    const similar = (x: ReadonlySet<string>, y: ReadonlySet<string>) =>
      [...x].filter((word) => y.has(word)).length / new Set([...x, ...y]).size >= 0.7;
    // Brute force: spread the smallest index over similar pairs until nothing changes.
    const label = items.map((_, i) => i);
    for (let changed = true; changed; ) {
      changed = false;
      for (let i = 0; i < items.length; i += 1) {
        for (let j = 0; j < i; j += 1) {
          const least = Math.min(label[i] ?? 0, label[j] ?? 0);
          if (label[i] !== label[j] && similar(words[i] ?? new Set(), words[j] ?? new Set())) {
            label[i] = least;
            label[j] = least;
            changed = true;
          }
        }
      }
    }
    expect(items.map(({ cluster }) => cluster)).toEqual(label.map((i) => items[i]?.id));
    expect(new Set(label).size).toBeLessThan(items.length - 20);
    expect(new Set(label).size).toBeGreaterThan(5);
  });
});
