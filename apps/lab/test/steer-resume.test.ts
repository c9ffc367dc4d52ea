// `safeinfer steer extract` killed in the middle of its ranking of heads.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runSafeInfer, safeInferCommand } from './run-safeinfer.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'safeinfer-steer-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('safeinfer steer extract', () => {
  it('goes on after a kill to the same bytes as an uninterrupted run', async () => {
    const args = (name: string): string[] => [
      ...['steer', 'extract', '--shots', '3', '--prompts', '3', '--effect-prompts', '12'],
      ...['--layers', '3', '--out', `${name}/v.safetensors`],
    ];
    expect(runSafeInfer(args('whole'), folder).code).toBe(0);
    const checkpoint = join(folder, 'killed/v.safetensors.aie-checkpoint.json');
    const signal = await new Promise((resolve) => {
      const child = spawn(process.execPath, safeInferCommand(args('killed')), {
        cwd: folder,
        stdio: 'ignore',
      });
      const timer = setInterval(() => {
        if (existsSync(checkpoint)) child.kill('SIGKILL');
      }, 5);
      child.on('exit', (_, name) => {
        clearInterval(timer);
        resolve(name);
      });
    });
    expect(signal).toBe('SIGKILL');
    const { prompts } = JSON.parse(readFileSync(checkpoint, 'utf8')) as { prompts: number };
    expect(prompts).toBeLessThan(12);
    const again = runSafeInfer(args('killed'), folder);
    expect(again.code).toBe(0);
    expect(again.stderr).toContain(`going on after ${prompts} prompts`);
    for (const name of ['v.safetensors', 'heads.json', 'heads.svg']) {
      expect(readFileSync(join(folder, 'killed', name))).toEqual(
        readFileSync(join(folder, 'whole', name)),
      );
    }
  }, 180_000);

  it('stops at Ctrl-C with exit code 130 and keeps what is done', async () => {
    const checkpoint = join(folder, 'stopped/v.safetensors.aie-checkpoint.json');
    const code = await new Promise((resolve) => {
      const args = [
        'steer',
        'extract',
        '--shots',
        '3',
        '--prompts',
        '3',
        '--effect-prompts',
        '300',
      ];
      const child = spawn(
        process.execPath,
        safeInferCommand([...args, '--out', 'stopped/v.safetensors']),
        { cwd: folder, stdio: 'ignore' },
      );
      let asked = false;
      const timer = setInterval(() => {
        if (asked || !existsSync(checkpoint)) return;
        asked = true;
        child.kill('SIGINT');
      }, 5);
      child.on('exit', (status) => {
        clearInterval(timer);
        resolve(status);
      });
    });
    expect(code).toBe(130);
    const { prompts } = JSON.parse(readFileSync(checkpoint, 'utf8')) as { prompts: number };
    expect(prompts).toBeGreaterThan(0);
    expect(prompts).toBeLessThan(300);
    expect(existsSync(join(folder, 'stopped/v.safetensors'))).toBe(false);
  }, 60_000);
});
