// A run over Redis with three workers, of which one is killed every few seconds, and a server that is killed as well:
// the report has the bytes of a plain run.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStore } from '../src/store/open-store.ts';
import { hasRedis, startRedis } from './redis.ts';
import { runSafeInfer, safeInferCommand } from './run-safeinfer.ts';

const experiment = `schemaVersion: 1
name: redis
arms:
  - name: base
  - name: SafeInfer
    steer:
      safetyAmplification: { safe: pocket, compliant: pocket, shots: 1, prompts: 3, effectPrompts: 1 }
    guide:
      safeInfer: { lambda: 0.9, unsafe: { adapter: unsafe } }
edits:
  - name: unedited
  - { name: ROME, rome: { facts: pocket, count: 1, layer: 1 } }
benchmarks:
  - { use: pocket-harmful, limit: 40 }
  - { use: pocket-how-to, limit: 10 }
judge: pocket
maxNewTokens: 20
batchSize: 2
`;
const REPORTS = ['results.jsonl', 'report.md', 'report.html', 'report.json'];
const WORKERS = 3;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'safeinfer-redis-'));
  mkdirSync(join(folder, 'redis'));
  writeFileSync(join(folder, 'redis.yaml'), experiment);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const start = (args: readonly string[]): ChildProcess =>
  spawn(process.execPath, safeInferCommand(args), {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, NO_COLOR: '1' },
  });

describe('the queue of several machines', () => {
  it('says that no Redis answers, with exit code 2 and nothing lost', () => {
    const args = ['run', 'redis.yaml', '--out', 'none/out', '--queue', 'redis://127.0.0.1:1'];
    const { code, stderr } = runSafeInfer(args, folder);
    expect(stderr).toMatch(/no Redis at redis:\/\/127\.0\.0\.1:1/);
    expect(code).toBe(2);
  }, 60_000);
});

describe.runIf(hasRedis)('with a real redis-server (skipped where there is none)', () => {
  it('loses nothing when workers and the server are killed', async () => {
    const plain = runSafeInfer(['run', 'redis.yaml', '--out', 'plain/out'], folder);
    expect(plain.stderr).not.toMatch(/error/i);
    expect(plain.code).toBe(0);
    await using redis = await startRedis(join(folder, 'redis'));
    const units = new Map<ChildProcess, number>();
    const worker = (): ChildProcess => {
      const child = start(['worker', '--queue', redis.url, '--lock', '1500']);
      units.set(child, 0);
      child.stderr?.on('data', (text: Buffer) => {
        const done = /(\d+) units done/.exec(String(text))?.[1];
        if (done) units.set(child, Number(done));
      });
      return child;
    };
    const workers = Array.from({ length: WORKERS }, worker);
    const run = start(['run', 'redis.yaml', '--out', 'shared/out', '--queue', redis.url]);
    let stderr = '';
    run.stderr?.on('data', (text: Buffer) => {
      stderr += String(text);
    });
    const finished = new Promise<number | null>((resolve) => run.once('exit', resolve));
    let over = false;
    void finished.then(() => {
      over = true;
    });
    const total = (): number => [...units.values()].reduce((sum, done) => sum + done, 0);
    let kills = 0;
    let restarts = 0;
    let next = 8;
    while (!over) {
      await sleep(50);
      if (total() < next) continue;
      // Every few units one worker dies in the middle of its next one; once, the server does.
      next = total() + 12;
      if (restarts === 0 && kills === 2) {
        restarts += 1;
        await redis.restart();
        continue;
      }
      workers[kills % WORKERS]!.kill('SIGKILL');
      workers[kills % WORKERS] = worker();
      kills += 1;
    }
    expect(stderr).not.toMatch(/error/i);
    expect(await finished).toBe(0);
    for (const child of workers) child.kill('SIGKILL');
    expect(kills).toBeGreaterThan(1);
    expect(restarts).toBe(1);
    for (const name of REPORTS) {
      const bytes = (place: string): string =>
        readFileSync(join(folder, place, 'out', name), 'utf8');
      // As a boolean: the difference of two reports would fill the screen.
      expect(bytes('shared') === bytes('plain'), `${name} has the bytes of a plain run`).toBe(true);
    }
    using one = openStore(join(folder, 'plain/store.sqlite'));
    using other = openStore(join(folder, 'shared/store.sqlite'));
    expect(other.size()).toBe(one.size());
    // 100 units; each kill and the restart may cost the unit in hand of each worker, and no more.
    expect(total()).toBeLessThanOrEqual(100 + kills + restarts * WORKERS);
    // The work was done by workers: the coordinator made no unit itself.
    expect(total()).toBeGreaterThanOrEqual(100 - kills - restarts * WORKERS);
  }, 280_000);
});
