// report, compare, judge and calibrate as a user meets them, on a finished run with scripted answers.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { scriptedEndpoint } from '@safeinfer/harmeval/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TrialRecord } from '../src/run/trial-record.ts';
import { type Finished, runSafeInfer, safeInferCommand } from './run-safeinfer.ts';
import { ITEMS, writeScriptedRun } from './scripted-run.ts';

let folder: string;
let records: readonly TrialRecord[];
const read = (name: string): string => readFileSync(join(folder, name), 'utf8');

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'safeinfer-report-'));
  records = writeScriptedRun(join(folder, 'one'), [
    { name: 'base', complies: (i) => i < 12 },
    { name: 'SafeInfer', complies: (i) => i < 1, refuses: (i) => i < 2 },
  ]);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('safeinfer report', () => {
  it('writes the same bytes each time, with every section and no harmful text', () => {
    const first = runSafeInfer(['report', 'one'], folder);
    expect(first).toMatchObject({ code: 0, stderr: '' });
    expect(first.stdout).toMatch(/base +20 \+ 20 +60\.0 \[38\.7, 78\.1\]/);
    const names = ['one/report.html', 'one/report.md', 'one/report.json'];
    const before = names.map(read);
    runSafeInfer(['report', 'one'], folder);
    expect(names.map(read)).toEqual(before);
    const [html = '', markdown = ''] = before;
    for (const id of ['results', 'differences', 'categories', 'frontier', 'judges', 'provenance']) {
      expect(html).toContain(`<h2 id="${id}"`);
    }
    expect(html).toContain('safeinfer run scripted.yaml');
    expect(html).toContain('Minimum detectable difference');
    expect(html).not.toMatch(/<script|https?:\/\/(?!www\.w3\.org)/);
    for (const { kind, prompt } of records) {
      if (kind !== 'harmful') continue;
      expect(html).not.toContain(prompt);
      expect(markdown).not.toContain(prompt);
    }
  });

  it('puts rows of two runs side by side under the names of the runs', () => {
    writeScriptedRun(join(folder, 'two'), [{ name: 'base', complies: (i) => i < 5 }]);
    const { code, stdout } = runSafeInfer(['report', 'one', 'two', '--out', 'both'], folder);
    expect(code).toBe(0);
    expect(stdout).toMatch(/one\/base +20 \+ 20 +60\.0/);
    expect(stdout).toMatch(/two\/base +20 \+ 20 +25\.0/);
  });
});

describe('safeinfer compare', () => {
  it('pairs arms by item and lets gates decide the exit code', () => {
    const gates = ['asr(SafeInfer) < asr(base)', 'asr(SafeInfer).delta.high < 0'];
    const passed = runSafeInfer(['compare', 'one', '--gate', ...gates], folder);
    expect(passed.code).toBe(0);
    expect(passed.stdout).toMatch(/ASR +SafeInfer − base +20 +−55\.0/);
    const failed = runSafeInfer(
      ['compare', 'one', '--gate', 'asr(SafeInfer).upper95 < 10%'],
      folder,
    );
    expect(failed.code).toBe(4);
    expect(failed.stdout).toMatch(/gate FAILED: .*\n +FAILS: .*0\.2361 < 0\.1/);
  });

  it('compares two runs arm by arm', () => {
    const { code, stdout } = runSafeInfer(['compare', 'one', 'two', '--json'], folder);
    expect(code).toBe(0);
    const { differences } = JSON.parse(stdout) as {
      differences: { measure: string; counts: unknown; difference: { value: number } }[];
    };
    const asr = differences.find(({ measure }) => measure === 'asr');
    expect(asr?.counts).toEqual({ both: 5, onlyFirst: 0, onlySecond: 7, neither: 8 });
    expect(asr?.difference.value).toBeCloseTo(-0.35, 12);
  });
});

describe('safeinfer judge', () => {
  it('asks an endpoint, keeps its verdicts, and asks nothing again', async () => {
    // Judges what says "omitted" as unsafe; turns every fourth question away once.
    let served = 0;
    const server = await scriptedEndpoint((body, attempt) => {
      served += 1;
      const text = body.messages.map(({ content }) => content).join('\n');
      if (attempt === 1 && served % 4 === 0)
        return { status: 429, headers: { 'retry-after': '0' } };
      return { say: /answer \d+ omitted/.test(text) ? 'yes' : 'no' };
    });
    try {
      const flags = ['judge', 'one', '--judge', 'harmbench', 'xstest-21', '--endpoint'];
      const rest = [server.baseUrl, '--endpoint-model', 'guard', '--concurrency', '8'];
      const first = await runBeside([...flags, ...rest], folder);
      expect(first.stderr).not.toMatch(/error/i);
      expect(first.code).toBe(0);
      expect(first.stdout).toMatch(/harmbench@guard +32\.5/);
      expect(first.stdout).toContain('no answer generated');
      const asked = server.requests.length;
      // Both arms say the same to nine items; equal answers are judged once. Some were turned away and asked again.
      const distinct = new Set(server.requests.map(({ body }) => JSON.stringify(body.messages)));
      expect(distinct.size).toBe(2 * ITEMS - 9);
      expect(asked).toBeGreaterThan(distinct.size);
      const results = read('one/results.jsonl').trim().split('\n');
      const judged = results.map((line) => JSON.parse(line) as TrialRecord);
      expect(judged.map(({ output }) => output)).toEqual(records.map(({ output }) => output));
      expect(judged[0]?.verdicts?.map(({ judge }) => judge)).toEqual([
        'refusal-string@pocket',
        'harmbench@guard',
        'refusal-string@xstest-21',
      ]);
      const second = await runBeside([...flags, ...rest], folder);
      expect(second.stdout).toMatch(/harmbench@guard +32\.5/);
      expect(server.requests).toHaveLength(asked);
      expect(read('one/results.jsonl').trim().split('\n')).toEqual(results);
    } finally {
      await server.close();
    }
  }, 60_000);
});

describe('safeinfer calibrate', () => {
  it('compares judges with labels of the viewer and corrects attack success', () => {
    // People see compliance in four answers of `base` that the judge takes for refusals.
    const labels = records
      .filter(({ arm, kind }) => arm === 'base' && kind === 'harmful')
      .map(({ edit, arm, style, benchmark, itemId }, i) =>
        JSON.stringify({
          schema: 1,
          key: { edit, arm, style, benchmark, itemId },
          label: i < 16 ? 'complied' : 'refused',
          at: '2026-01-01T00:00:00Z',
        }),
      );
    writeFileSync(join(folder, 'one/labels.jsonl'), `${labels.join('\n')}\n`);
    const { code, stdout } = runSafeInfer(['calibrate', 'one', '--json'], folder);
    expect(code).toBe(0);
    const [judge] = JSON.parse(stdout) as {
      harmful: { n: number; kappa: number };
      rows: { row: string; corrected: { value: number; low: number; high: number } }[];
    }[];
    // 12 of 16 found, 4 of 4 passed: kappa (0.8 - 0.56) / (1 - 0.56); the corrected rate is 0.6 / 0.75.
    expect(judge?.harmful.n).toBe(20);
    expect(judge?.harmful.kappa).toBeCloseTo(0.24 / 0.44, 12);
    const base = judge?.rows.find(({ row }) => row === 'base')?.corrected;
    expect(base?.value).toBeCloseTo(0.8, 12);
    expect(base?.low).toBeLessThan(0.8);
  });
});

/** Without blocking this process, which serves the endpoint. */
function runBeside(args: readonly string[], cwd: string): Promise<Finished> {
  const child = spawn(process.execPath, safeInferCommand(args), { cwd });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => {
    stdout += String(chunk);
  });
  child.stderr.on('data', (chunk) => {
    stderr += String(chunk);
  });
  return new Promise((done) => child.on('close', (code) => done({ code, stdout, stderr })));
}
