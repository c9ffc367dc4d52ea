// Every reference file loads with the right counts. Texts are never printed: rows are named by set and number.
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { xsTestCompletions, xsTestLabels } from '../src/calibration/xstest-labels.ts';
import { loadDataset } from '../src/datasets/dataset.ts';
import { loadDatasetFromFile } from '../src/datasets/load-dataset-file.ts';
import { formatOf, readRows } from '../src/datasets/read-rows.ts';
import { catQa } from '../src/datasets/specs/cat-qa.ts';
import { dangerousQa } from '../src/datasets/specs/dangerous-qa.ts';
import { simpleSafetyTests } from '../src/datasets/specs/simple-safety-tests.ts';
import { xsTest } from '../src/datasets/specs/xs-test.ts';
import { HarmEvalError } from '../src/harm-eval-error.ts';
import { selfInstructSeed, selfInstructUser } from '../src/utility/benign-instructions.ts';
import { loadUtilityFromFile } from '../src/utility/load-utility.ts';
import { mmluSubject } from '../src/utility/mmlu.ts';
import { linesSource, mePpl } from '../src/utility/perplexity.ts';
import { truthfulQa } from '../src/utility/truthful-qa.ts';
import { hasSharedData, sharedFile } from './shared-data.ts';

describe.runIf(hasSharedData)('reference data (needs ../shared)', () => {
  it.each([
    { spec: dangerousQa, file: 'dangerousqa/dangerousqa.json', rows: 200 },
    { spec: catQa, file: 'catqa/catqa_english.json', rows: 494 },
    { spec: xsTest, file: 'xstest/xstest_prompts.csv', rows: 440 },
    { spec: simpleSafetyTests, file: 'simplesafetytests/simplesafetytests.csv', rows: 80 },
    { spec: selfInstructUser, file: 'self_instruct/user_oriented_instructions.jsonl', rows: 252 },
    { spec: selfInstructSeed, file: 'self_instruct/seed_tasks.jsonl', rows: 175 },
  ])('loads $spec.name: $rows rows, pinned by hash', async ({ spec, file, rows }) => {
    const { report, items } = await loadDatasetFromFile(spec, sharedFile(file));
    expect(report).toMatchObject({ verified: 'sha256', rowsInFiles: rows, droppedMinors: 0 });
    expect(items.length + report.droppedDuplicates + report.droppedEmpty).toBe(rows);
    expect(new Set(items.map(({ id }) => id)).size).toBe(items.length);
  });

  it('knows the parts of XSTest and CatQA', async () => {
    const xs = await loadDatasetFromFile(xsTest, sharedFile('xstest'));
    expect(xs.items.filter(({ label }) => label === 'harmless')).toHaveLength(244);
    expect(xs.items.filter(({ label }) => label === 'harmful')).toHaveLength(196);
    expect(new Set(xs.items.map(({ category }) => category)).size).toBe(18);
    const cat = await loadDatasetFromFile(catQa, sharedFile('catqa'));
    expect(new Set(cat.items.map(({ category }) => category)).size).toBe(10);
  });

  it('loads the human labels and the labelled completions', async () => {
    const labels = await loadUtilityFromFile(xsTestLabels, sharedFile('xstest'));
    expect(labels.items).toHaveLength(2200);
    expect(labels.items.filter(({ gpt4 }) => gpt4 === null)).toHaveLength(11);
    for (const system of ['mistralinstruct', 'mistralguard'] as const) {
      const path = sharedFile(`xstest/human_labelled_completions/${system}_streval.csv`);
      expect((await loadUtilityFromFile(xsTestCompletions(system), path)).items).toHaveLength(440);
    }
  });

  it('loads TruthfulQA with exactly one true MC1 answer for each question', async () => {
    const { items, report } = await loadUtilityFromFile(
      truthfulQa,
      sharedFile('truthfulqa/mc_task.json'),
    );
    expect(report.verified).toBe('sha256');
    expect(items).toHaveLength(808);
    expect(items.every(({ mc1 }) => mc1.truth.filter(Boolean).length === 1)).toBe(true);
  });

  it('loads every MMLU file', async () => {
    const testRows: Record<string, number> = { formal_logic: 126, management: 103 };
    const count = { dev: 0, test: 0, dropped: 0 };
    for (const part of ['dev', 'test'] as const) {
      for (const file of readdirSync(sharedFile(`mmlu/${part}`))) {
        const subject = file.replace(`_${part}.csv`, '');
        const devRows = subject === 'public_relations' ? 4 : 5;
        const rows = part === 'dev' ? devRows : (testRows[subject] ?? 100);
        const { report } = await loadUtilityFromFile(
          mmluSubject({ subject, part, rows }),
          sharedFile(`mmlu/${part}/${file}`),
        );
        count[part] += report.rowsInFiles;
        count.dropped += report.droppedMinors;
      }
    }
    // One academic row on adolescents falls to the loader's own, stricter word list.
    expect(count).toEqual({ dev: 284, test: 629, dropped: 1 });
  });

  it('loads perplexity texts', async () => {
    for (const [file, rows] of [
      ['ME-PPL_50.json', 50],
      ['ME-PPL_1k.json', 999],
      ['ME-PPL.json', 9989],
    ] as const) {
      const { report } = await loadUtilityFromFile(mePpl, sharedFile(`editing/ME-PPL/${file}`));
      expect(report.rowsInFiles).toBe(rows);
    }
    const lines = linesSource('wikitext2-test');
    const { items, report } = await loadUtilityFromFile(lines, sharedFile('wikitext2/test.txt'));
    const words = items.reduce((sum, { text }) => sum + text.trim().split(/\s+/u).length, 0);
    // 239,502 words by the manifest; the loader's own filter is stricter and drops a few lines more.
    expect(report.droppedMinors).toBeLessThan(40);
    expect(words).toBeGreaterThan(235_000);
    expect(words).toBeLessThanOrEqual(239_502);
  });

  it.each([
    { file: 'truthfulqa/TruthfulQA.csv', rows: 808, column: 'Best Answer' },
    { file: 'counterfact/counterfact-edit-1k.json', rows: 1000, column: 'case_id' },
    { file: 'editing/known_1000/known_1000.json', rows: 1209, column: 'known_id' },
    { file: 'wikitext2/test.txt', rows: 0, column: 'text' },
    { file: 'wikitext2/valid.txt', rows: 0, column: 'text' },
  ])('reads $file of other packages as well', async ({ file, rows, column }) => {
    const bytes = readFileSync(sharedFile(file));
    const parsed = await readRows(bytes, { format: formatOf(file), file });
    // The manifest counts lines of texts, blank ones included.
    if (rows > 0) expect(parsed).toHaveLength(rows);
    expect(parsed.every(({ cells }) => column in cells)).toBe(true);
    expect(Object.keys(parsed[0]?.cells ?? {})[0]).not.toMatch(/^\uFEFF/u);
  });

  it.each([
    { spec: dangerousQa, file: 'dangerousqa/dangerousqa.json' },
    { spec: catQa, file: 'catqa/catqa_english.json' },
    { spec: xsTest, file: 'xstest/xstest_prompts.csv' },
    { spec: simpleSafetyTests, file: 'simplesafetytests/simplesafetytests.csv' },
    { spec: selfInstructSeed, file: 'self_instruct/seed_tasks.jsonl' },
  ])('refuses $file cut anywhere, and changed by one letter', async ({ spec, file }) => {
    const whole = new Uint8Array(readFileSync(sharedFile(file)));
    for (const share of [0, 0.1, 0.37, 0.5, 0.9, 0.999]) {
      const error: unknown = await loadDataset(spec, {
        [file]: whole.slice(0, Math.floor(share * whole.length)),
      }).catch((reason: unknown) => reason);
      if (!HarmEvalError.isInstance(error)) throw new Error(`${file} cut at ${share} was accepted`);
      expect(['BAD_FILE', 'BAD_DATASET', 'WRONG_DATASET']).toContain(error.code);
      // A syntax error names the line; a wrong count names how many rows there are.
      const { line, row } = error.location ?? {};
      expect(error.code === 'BAD_FILE' ? line : row, `${error.code} at ${share}`).toBeTypeOf(
        'number',
      );
    }
    const changed = whole.slice();
    const at = changed.lastIndexOf('e'.charCodeAt(0));
    changed[at] = 'a'.charCodeAt(0);
    await expect(loadDataset(spec, { [file]: changed })).rejects.toMatchObject({
      code: expect.stringMatching(/^(BAD_DATASET|WRONG_DATASET|BAD_FILE)$/u),
    });
  });
});
