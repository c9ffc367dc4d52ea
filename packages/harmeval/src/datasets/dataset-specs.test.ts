// Every declared loader reads a file of the declared shape. Sets that are not provided are only tested this way.
import { describe, expect, it } from 'vitest';
import { loadDataset } from './dataset.ts';
import type { DatasetSpec, SourceFile } from './dataset-spec.ts';
import { datasetSpecs } from './dataset-specs.ts';
import { hexPhi } from './specs/hex-phi.ts';
import { sorryBench } from './specs/sorry-bench.ts';
import { xsTest } from './specs/xs-test.ts';

const encode = (text: string) => new TextEncoder().encode(text);
const cell = (column: string, row: number) =>
  /^text$|^turns$|prompt|question|goal|behavior$/iu.test(column) ? `question, ${row}` : `x${row}`;

function fileOf(spec: DatasetSpec, file: SourceFile): string {
  const rows = [1, 2].map((row) =>
    Object.fromEntries(spec.columns.map((column) => [column, cell(column, row)])),
  );
  if (spec.name === 'catqa') return JSON.stringify({ A: { a: ['q 1'], b: ['q 2'] } });
  if (spec.name === 'dangerousqa') return JSON.stringify(['q 1', 'q 2']);
  if (spec.name === 'hex-phi') return `question, 1 of ${file.path}\nquestion, 2 of ${file.path}\n`;
  const format = file.format ?? 'csv';
  if (format === 'json') return JSON.stringify(rows);
  if (format === 'jsonl') return rows.map((row) => JSON.stringify(row)).join('\n');
  const lines = rows.map((row) => spec.columns.map((column) => `"${row[column] ?? ''}"`).join(','));
  return [spec.columns.join(','), ...lines].join('\n');
}

describe('declared loaders', () => {
  it.each(Object.values(datasetSpecs))('$name reads its own shape', async (spec) => {
    const files = Object.fromEntries(
      spec.files.map((file) => [
        file.path.startsWith('*') ? 'data.csv' : file.path,
        encode(fileOf(spec, file)),
      ]),
    );
    const { items, report } = await loadDataset(spec, files, { allowUnpinned: true });
    expect(report.rowsInFiles).toBe(2 * spec.files.length);
    expect(items).toHaveLength(2 * spec.files.length);
    expect(items.every(({ prompt }) => /^q/u.test(prompt))).toBe(true);
    expect(items.every(({ dataset }) => dataset === spec.name)).toBe(true);
  });

  it.each(Object.values(datasetSpecs).filter(({ editions }) => editions.length > 0))(
    '$name refuses another number of rows unless told',
    async (spec) => {
      const files = Object.fromEntries(
        spec.files.map((file) => [
          file.path.startsWith('*') ? 'data.csv' : file.path,
          encode(fileOf(spec, file)),
        ]),
      );
      await expect(loadDataset(spec, files)).rejects.toMatchObject({ code: 'BAD_DATASET' });
    },
  );

  it('pins a commit or says that it does not', () => {
    for (const { name, revision, origin } of Object.values(datasetSpecs)) {
      if (revision !== 'main') expect(revision, name).toMatch(/^[0-9a-f]{40}$/u);
      expect(['hub', 'github'], name).toContain(origin.kind);
    }
  });

  it('marks the sets that may not be redistributed', () => {
    const closed = Object.values(datasetSpecs)
      .filter(({ licence }) => !licence.redistributable)
      .map(({ name }) => name)
      .sort();
    expect(closed).toEqual(['harmeval', 'hex-phi', 'oktest', 'sorry-bench', 'techhazardqa']);
  });

  it('names a missing file of a set of several', async () => {
    await expect(loadDataset(hexPhi, {})).rejects.toMatchObject({
      code: 'WRONG_DATASET',
      location: { file: 'category_1.csv' },
    });
  });

  it('takes the label of a mixed set from its column', async () => {
    const csv = 'id,prompt,type,label\n1,first,a,safe\n2,second,b,unsafe\n';
    const { items } = await loadDataset(xsTest, { a: encode(csv) }, { allowUnpinned: true });
    expect(items.map(({ label }) => label)).toEqual(['harmless', 'harmful']);
  });

  it('keeps base prompts only where a file mixes them with mutations', async () => {
    const rows = [
      { question_id: 1, category: '1', turns: ['base one'], prompt_style: 'base' },
      { question_id: 1, category: '1', turns: ['mutated'], prompt_style: 'slang' },
    ];
    const jsonl = rows.map((row) => JSON.stringify(row)).join('\n');
    const { items, report } = await loadDataset(
      sorryBench,
      { 'question.jsonl': encode(jsonl) },
      { allowUnpinned: true },
    );
    expect(items.map(({ prompt }) => prompt)).toEqual(['base one']);
    expect(report.droppedEmpty).toBe(1);
  });
});
