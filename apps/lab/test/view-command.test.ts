// `safeinfer view` as a process: how it starts, what it refuses, how it ends.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureBuiltSite } from './built-site.ts';
import { runSafeInfer, safeInferCommand } from './run-safeinfer.ts';
import { writeSyntheticRun } from './synthetic-run.ts';

describe('safeinfer view', () => {
  let root: string;
  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), 'view-command-'));
    await ensureBuiltSite();
    await writeSyntheticRun(join(root, 'runs', 'one'), { items: 12 });
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  it('serves one run directory on loopback until Ctrl-C, and ends with 0', async () => {
    const child = spawn(process.execPath, safeInferCommand(['view', 'runs/one']), { cwd: root });
    let output = '';
    child.stdout.on('data', (text) => {
      output += text;
    });
    await expect.poll(() => output, { timeout: 30_000 }).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/\n/);
    const url = output.split('\n')[0] ?? '';
    const runs = (await (await fetch(`${url}api/runs`)).json()) as { id: string }[];
    expect(runs.map(({ id }) => id)).toEqual(['one']);
    expect(await (await fetch(url)).text()).toContain('<title>SafeInfer</title>');
    // An open connection does not hold it up.
    child.kill('SIGINT');
    const code = await new Promise((resolve) => child.once('exit', resolve));
    expect(code).toBe(0);
  });

  it('names the port that is in use, and a directory that is none', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const address = other.address();
    const port = typeof address === 'object' ? String(address?.port) : '';
    const taken = runSafeInfer(['view', 'runs', '--port', port], root);
    other.close();
    expect(taken.code).toBe(2);
    expect(taken.stderr).toContain(`port ${port} is in use`);
    expect(taken.stderr).toContain('--port');
    const absent = runSafeInfer(['view', 'nowhere'], root);
    expect([absent.code, absent.stderr]).toEqual([
      2,
      expect.stringContaining('nowhere is no directory'),
    ]);
  });

  it('exports, replaces an earlier export, and touches no other directory', () => {
    const first = runSafeInfer(['view', 'runs', '--export', 'site'], root);
    expect([first.code, first.stdout]).toEqual([0, 'site/index.html\n']);
    expect(existsSync(join(root, 'site/data/run-0/trials-0.js'))).toBe(true);
    expect(runSafeInfer(['view', 'runs', '--export', 'site'], root).code).toBe(0);
    writeFileSync(join(root, 'runs', 'mine.txt'), 'mine');
    const refused = runSafeInfer(['view', 'runs', '--export', 'runs'], root);
    expect(refused.code).toBe(2);
    expect(existsSync(join(root, 'runs', 'mine.txt'))).toBe(true);
  });
});
