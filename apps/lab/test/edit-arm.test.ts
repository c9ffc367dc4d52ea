// An edit as an arm of an experiment, as a user runs it: each fact alone, its random control, before and after on the same items.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pocketFacts } from '@safeinfer/pocket';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TrialRecord } from '../src/run/trial-record.ts';
import { runInProcess } from './run-in-process.ts';
import { statements } from './statements.ts';

const ROME = (facts: string): string =>
  `rome: { facts: ${facts}, steps: 6, apply: eachAlone, collect: texts.txt`;
const experiment = (edits: readonly string[]): string => `schemaVersion: 1
name: edited
arms:
  - name: base
  - { name: careful, systemPrompt: Be careful. }
edits:
${edits.map((edit) => `  - ${edit}`).join('\n')}
benchmarks:
  - { use: pocket-harmful, limit: 2 }
  - { use: pocket-how-to, limit: 2 }
judge: pocket
maxNewTokens: 8
`;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'safeinfer-edit-arm-'));
  // Few texts: reading all bundled statements took most of the time.
  writeFileSync(join(folder, 'texts.txt'), statements({ facts: 200, without: [] }));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function run(
  name: string,
  text: string,
): Promise<{ records: TrialRecord[]; stdout: string; report: string }> {
  writeFileSync(join(folder, `${name}.yaml`), text);
  // A store of its own: answers of an earlier run would be compared with themselves.
  const { code, stdout, stderr } = await runInProcess(
    ['run', `${name}.yaml`, '--out', name, '--backend', 'ort', '--store', `${name}.sqlite`],
    folder,
  );
  expect(stderr).not.toMatch(/error/i);
  expect(code).toBe(0);
  const file = (entry: string): string => readFileSync(join(folder, name, entry), 'utf8');
  const lines = file('results.jsonl').trim().split('\n');
  return {
    records: lines.map((line) => JSON.parse(line) as TrialRecord),
    stdout,
    report: file('report.md'),
  };
}

describe('edits of an experiment', () => {
  it('write each fact alone and compare it, and a control of the same norm, with the unedited model', async () => {
    const two = ROME('pocket, count: 2');
    const { records, stdout, report } = await run(
      'two',
      experiment([
        'name: unedited',
        `{ name: ROME, ${two} } }`,
        `{ name: control, ${two}, control: randomRankOne } }`,
      ]),
    );
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
    expect(report).toMatch(/a random rank-one change of blocks\.0\.mlp\.W_out, as large as/);
    // Two facts, two harmful items: four pairs against the unedited answers.
    expect(report).toMatch(/careful · simple.*unedited.*ROME/s);
    expect(report).toMatch(/careful · simple.*unedited.*control/s);

    // The second fact alone gives the very answers it gave among others: the one before it was undone exactly.
    const second = records.filter((one) => one.edit === 'ROME' && one.repeat === 1);
    const { prompt, subject, target_new: targetNew } = pocketFacts()[1]!;
    writeFileSync(join(folder, 'second.json'), JSON.stringify([{ prompt, subject, targetNew }]));
    const { records: alone, report: aloneReport } = await run(
      'alone',
      experiment([`{ name: ROME, ${ROME('{ path: second.json }, count: 1')} } }`]),
    );
    const outputs = (list: readonly TrialRecord[]): string[] =>
      list.map(({ arm, itemId, output }) => `${arm} ${itemId} ${output}`);
    expect(outputs(alone)).toEqual(outputs(second));
    const note = (text: string): string | undefined =>
      text.split('\n').find((line) => line.includes(`"${prompt.replace('{}', subject)}" ->`));
    expect(note(aloneReport)).toMatch(/loss [\d.]+ -> [\d.]+, p\(target\)/);
    expect(note(report)).toBe(note(aloneReport));
    expect(report).toMatch(/rome at layer 0 \(settings: bundled model, for one fact\)/);
  }, 120_000);
});
