// The commands that work on the directory of a run: plan, status, verify, export, resume, retry, gc.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { occupyDirectory } from '../src/run/occupy-directory.ts';
import type { TrialRecord } from '../src/run/trial-record.ts';
import { openStore } from '../src/store/open-store.ts';
import { runSafeInfer } from './run-safeinfer.ts';

let folder: string;
const results = 'runs/small/results.jsonl';
const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
const records = (): TrialRecord[] =>
  read(results)
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as TrialRecord);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'safeinfer-commands-'));
  writeFileSync(
    join(folder, 'small.yaml'),
    `schemaVersion: 1
name: small
arms: [{ name: base }]
benchmarks: [{ use: pocket-harmful, limit: 3 }, { use: pocket-how-to, limit: 2 }]
judge: pocket
maxNewTokens: 8
`,
  );
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the life of a run', () => {
  it('is planned, run, and found stored when planned again', () => {
    const before = runSafeInfer(['plan', 'small.yaml', '--json'], folder);
    expect(before.code).toBe(0);
    expect(JSON.parse(before.stdout)).toMatchObject({ trials: 5, stored: 0, forwardRows: 40 });
    expect(runSafeInfer(['run', 'small.yaml'], folder).code).toBe(0);
    const after = runSafeInfer(['plan', 'small.yaml'], folder);
    expect(after.stdout).toMatch(/2 cells, 5 answers, 5 stored/);
  }, 120_000);

  it('is not entered by a second writer, who says so before any work', () => {
    const before = read(results);
    {
      using _ = occupyDirectory(join(folder, 'runs/small'));
      for (const args of [
        ['run', 'small.yaml'],
        ['resume', 'runs/small'],
      ]) {
        const { code, stderr } = runSafeInfer(args, folder);
        expect(stderr).toMatch(/another run is writing to .*small/);
        expect(code).toBe(2);
      }
    }
    expect(runSafeInfer(['resume', 'runs/small'], folder).code).toBe(0);
    expect(read(results)).toBe(before);
  }, 120_000);

  it('shows its status and agrees with its store', () => {
    const status = runSafeInfer(['status', 'runs/small', '--json'], folder);
    expect(JSON.parse(status.stdout)).toMatchObject({
      name: 'small',
      finished: true,
      progress: { phase: 'done', done: 5, total: 5 },
      store: { used: 5, stored: 5, failed: 0 },
    });
    const { code, stdout } = runSafeInfer(['verify', 'runs/small'], folder);
    expect(stdout).toBe('5 entries, 0 problems\n');
    expect(code).toBe(0);
  }, 60_000);

  it('is exported with harmful text masked', () => {
    for (const format of ['csv', 'jsonl', 'parquet'])
      expect(runSafeInfer(['export', 'runs/small', '--format', format], folder).code).toBe(0);
    const csv = read('runs/small/records.csv').trim().split('\r\n');
    expect(csv).toHaveLength(6);
    expect(csv[0]).toMatch(/^edit,fact,arm,style,benchmark,itemId/);
    const harmful = records().find(({ kind }) => kind === 'harmful')!;
    expect(csv.join()).not.toContain(harmful.prompt);
    expect(csv.join()).toContain(harmful.itemId);
    expect(read('runs/small/records.parquet').slice(0, 4)).toBe('PAR1');
  }, 60_000);

  it('tells of a row that failed with exit code 3, and retries it on request only', () => {
    const bytes = read(results);
    const [first] = records();
    {
      using store = openStore(join(folder, 'runs/store.sqlite'));
      store.database.prepare('DELETE FROM content WHERE key = ?').run(first!.key!);
      const failure = { failureClass: 'permanent', message: 'the row was too long' };
      store.setFailures(new Map([[first!.key!, failure]]));
    }
    const resumed = runSafeInfer(['resume', 'runs/small'], folder);
    expect(resumed.code).toBe(3);
    expect(resumed.stdout).toMatch(/1 items have no answer/);
    expect(records()[0]).toMatchObject({ outcome: 'unscored', failure: 'the row was too long' });
    const retried = runSafeInfer(['retry', 'runs/small'], folder);
    expect(retried.stderr).toMatch(/1 items without an answer are tried again/);
    expect(retried.code).toBe(0);
    expect(read(results)).toBe(bytes);
  }, 120_000);

  it('verify points at a record that is not what was stored', () => {
    const bytes = read(results);
    writeFileSync(join(folder, results), bytes.replace('"output":"', '"output":"not '));
    const { code, stdout } = runSafeInfer(['verify', 'runs/small'], folder);
    expect(stdout).toMatch(/results\.jsonl:1: its answer is not the stored one/);
    expect(code).toBe(3);
    writeFileSync(join(folder, results), bytes);
  }, 60_000);

  it('gc keeps it, and drops its answers once the directory is gone', () => {
    const gc = (...args: string[]): string => runSafeInfer(['gc', ...args], folder).stdout;
    expect(gc()).toMatch(/^0 of 5 entries/);
    rmSync(join(folder, 'runs/small'), { recursive: true });
    expect(gc()).toMatch(/^5 of 5 entries .*drop them with --yes/);
    expect(gc('--yes')).toMatch(/dropped/);
    using store = openStore(join(folder, 'runs/store.sqlite'));
    expect(store.size()).toBe(0);
  }, 60_000);
});
