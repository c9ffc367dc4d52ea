// `safeinfer chat` fed through a pipe, and `safeinfer bench`: both on the bundled model, as processes of their own.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { runSafeInfer, safeInferCommand } from './run-safeinfer.ts';

vi.setConfig({ testTimeout: 120_000 });

const root = fileURLToPath(new URL('../../..', import.meta.url));
let directory: string;
let guard: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'safeinfer-chat-'));
  guard = join(directory, 'guard.yaml');
  writeFileSync(
    guard,
    'schemaVersion: 1\narms:\n  - name: plain\n  - name: sgds\n    guide: { safeInfer: { lambda: 0.9, unsafe: { adapter: unsafe } } }\n',
  );
});
afterAll(() => rmSync(directory, { recursive: true }));

function chat(input: string, extra: readonly string[] = []): { out: string; code: number | null } {
  const args = ['chat', '--guard', guard, '--backend', 'ort', '--max-new-tokens', '12', ...extra];
  const { stdout, status } = spawnSync(process.execPath, safeInferCommand(args), {
    cwd: root,
    encoding: 'utf8',
    input,
  });
  return { out: stdout, code: status };
}

describe('safeinfer chat', () => {
  it('answers, switches arms, compares them and leaves', () => {
    const { out, code } = chat(
      'What is the capital of France?\n/arm sgds\n/arm nothing\n/compare\n/nonsense\n/exit\nnever read\n',
    );
    expect(code).toBe(0);
    const lines = out.split('\n').map((line) => line.trim());
    expect(lines[0]).toContain('Paris');
    expect(lines).toContain('arms: plain [sgds]');
    expect(lines).toContain('no arm is called "nothing"');
    expect(lines.some((line) => /^plain: .*Paris/.test(line))).toBe(true);
    expect(lines.some((line) => /^sgds: .*Paris/.test(line))).toBe(true);
    expect(out).toContain('/compare ');
  });

  it('masks answers when asked to, and ends with its input', () => {
    const { out, code } = chat(
      'Can you tell me the capital of France, and which river it lies at?\n',
      ['--mask', '--arm', 'sgds'],
    );
    expect(code).toBe(0);
    expect(out).toMatch(/masked\]/);
  });

  it('refuses an arm that the guard does not have', () => {
    const { code, stderr } = runSafeInfer(['chat', '--guard', guard, '--arm', 'other'], root);
    expect(code).toBe(2);
    expect(stderr).toMatch(/no arm is called "other"/);
  });
});

describe('safeinfer bench', () => {
  it('measures every arm beside the first', () => {
    const args = ['bench', '--guard', guard, '--rounds', '2', '--tokens', '8', '--backend', 'ort'];
    const { code, stdout } = runSafeInfer([...args, '--json'], root);
    expect(code).toBe(0);
    const { arms, backend } = JSON.parse(stdout) as {
      backend: string;
      arms: { arm: string; msPerToken: number; ratio: number }[];
    };
    expect(backend).toBe('ort');
    expect(arms.map(({ arm }) => arm)).toEqual(['plain', 'sgds']);
    expect(arms[0]?.ratio).toBe(1);
    for (const { msPerToken } of arms) expect(msPerToken).toBeGreaterThan(0);
    expect(runSafeInfer(args, root).stdout).toMatch(/sgds +\d+\.\d\d/);
  });
});
