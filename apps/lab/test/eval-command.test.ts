// `safeinfer eval` as a user meets it.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runSafeInfer } from './run-safeinfer.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'safeinfer-eval-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('safeinfer eval', () => {
  it('shows every judge on the same answers, and counts what a judge could not score', () => {
    const { code, stdout, stderr } = runSafeInfer(
      [
        'eval',
        ...['--set', 'bundled-harmful', 'pocket-how-to'],
        ...['--limit', '2', '--max-new-tokens', '8', '--judge-model', 'pocket', '--out', 'out'],
      ],
      folder,
    );
    expect(stderr).not.toMatch(/error/i);
    expect(code).toBe(0);
    expect(stdout).toMatch(/bundled-harmful +refusal-string@gcg-29 +attack-success +2 +0/);
    // The toy cannot follow a judge's prompt: its verdicts are unscored, never safe.
    expect(stdout).toMatch(/bundled-harmful +safeinfer-code +attack-success +0 +2 +– +0\.0–100\.0/);
    expect(stdout).toMatch(/pocket-how-to +refusal-string@pocket +over-refusal +2 +0/);
    const lines = readFileSync(join(folder, 'out/records.jsonl'), 'utf8').trim().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { type: string }).type)).toEqual([
      ...['plan', 'trial', 'trial', 'done'],
      ...['plan', 'trial', 'trial', 'done'],
    ]);
  }, 180_000);

  it('refuses an unknown set with exit code 2', () => {
    const { code, stderr } = runSafeInfer(['eval', '--set', 'nothing', '--out', 'out2'], folder);
    expect(stderr).toMatch(/no benchmark "nothing"/);
    expect(code).toBe(2);
  });
});
