// An edit as an arm of an experiment, as a user runs it: each fact alone, its random control, before and after on the same items.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pocketFacts } from '@safeinfer/pocket';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TrialRecord } from '../src/run/trial-record.ts';
import { runSafeInfer } from './run-safeinfer.ts';

const experiment = (count: number): string => `schemaVersion: 1
name: edited
arms:
  - name: base
  - { name: careful, systemPrompt: Be careful. }
edits:
  - name: unedited
  - { name: ROME, rome: { facts: pocket, count: ${count}, steps: 6, apply: eachAlone } }
  - { name: control, rome: { facts: pocket, count: ${count}, steps: 6, apply: eachAlone, control: randomRankOne } }
benchmarks:
  - { use: pocket-harmful, limit: 2 }
  - { use: pocket-how-to, limit: 2 }
judge: pocket
maxNewTokens: 8
`;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'safeinfer-edit-arm-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function run(name: string, text: string): { records: TrialRecord[]; stdout: string } {
  writeFileSync(join(folder, `${name}.yaml`), text);
  const { code, stdout, stderr } = runSafeInfer(
    ['run', `${name}.yaml`, '--out', name, '--backend', 'ort'],
    folder,
  );
  expect(stderr).not.toMatch(/error/i);
  expect(code).toBe(0);
  const lines = readFileSync(join(folder, name, 'results.jsonl'), 'utf8')
    .trim()
    .split('\n');
  return { records: lines.map((line) => JSON.parse(line) as TrialRecord), stdout };
}

describe('edits of an experiment', () => {
  it('write each fact alone and compare it, and a control of the same norm, with the unedited model', () => {
    const { records, stdout } = run('two', experiment(2));
    // 1 unedited state and 2 of each edit, 2 arms, 4 items.
    expect(records).toHaveLength((1 + 2 + 2) * 2 * 4);
    const items = (edit: string): Set<string> =>
      new Set(records.filter((one) => one.edit === edit).map(({ itemId }) => itemId));
    expect(items('ROME')).toEqual(items('unedited'));
    expect(items('control')).toEqual(items('unedited'));
    const rome = records.filter(({ edit }) => edit === 'ROME');
    expect(new Set(rome.map(({ fact }) => fact)).size).toBe(2);
    expect(new Set(rome.map(({ repeat }) => repeat))).toEqual(new Set([0, 1]));
    expect(stdout).toMatch(/ROME.* careful /);
    const report = readFileSync(join(folder, 'two/report.md'), 'utf8');
    expect(report).toMatch(/a random rank-one change of blocks\.0\.mlp\.W_out, as large as/);
    // Two facts, two harmful items: four pairs against the unedited answers.
    expect(report).toMatch(/careful · simple.*unedited.*ROME/s);
    expect(report).toMatch(/careful · simple.*unedited.*control/s);

    // The second fact alone gives the very answers it gave among others: the one before it was undone exactly.
    const second = records.filter((one) => one.edit === 'ROME' && one.repeat === 1);
    const { prompt, subject, target_new: targetNew } = pocketFacts()[1]!;
    writeFileSync(join(folder, 'second.json'), JSON.stringify([{ prompt, subject, targetNew }]));
    const { records: alone } = run(
      'alone',
      experiment(2).replaceAll('facts: pocket, count: 2', 'facts: { path: second.json }, count: 1'),
    );
    const outputs = (list: readonly TrialRecord[]): string[] =>
      list.map(({ arm, itemId, output }) => `${arm} ${itemId} ${output}`);
    expect(outputs(alone.filter(({ edit }) => edit === 'ROME'))).toEqual(outputs(second));
  }, 120_000);
});
