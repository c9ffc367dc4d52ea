// A run killed at random points and started again must end with the bytes of an uninterrupted one.
// SAFEINFER_KILLS sets how often (default 3; the bar is 50).
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStore, type Store } from '../src/store/open-store.ts';
import { runSafeInfer, safeInferCommand } from './run-safeinfer.ts';

const KILLS = Number(process.env['SAFEINFER_KILLS'] ?? 3);

const experiment = `schemaVersion: 1
name: kill
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
  - { use: pocket-harmful, limit: ${Math.max(6, Math.ceil(KILLS / 2))} }
  - { use: pocket-how-to, limit: 4 }
judge: pocket
maxNewTokens: 10
batchSize: 2
`;
const REPORTS = ['results.jsonl', 'report.md', 'report.html', 'report.json'];

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'safeinfer-kill-'));
  writeFileSync(join(folder, 'kill.yaml'), experiment);
});
afterAll(() => {
  watched?.close();
  rmSync(folder, { recursive: true, force: true });
});

const args = (place: string): string[] => ['run', 'kill.yaml', '--out', `${place}/out`];

/** Starts the run and kills it a moment after the store has grown by `growth` entries: in the middle of a batch. */
function killAfter(growth: number, momentMs: number): Promise<'killed' | 'finished'> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, safeInferCommand(args('killed')), {
      cwd: folder,
      stdio: 'ignore',
    });
    const start = entries();
    let due = false;
    const timer = setInterval(() => {
      if (due || entries() < start + growth) return;
      due = true;
      setTimeout(() => child.kill('SIGKILL'), momentMs);
    }, 20);
    child.on('exit', (_, signal) => {
      clearInterval(timer);
      resolve(signal === 'SIGKILL' ? 'killed' : 'finished');
    });
  });
}

let watched: Store | undefined;

/** Through one connection that stays open: it sees what the run commits, and costs it nothing. */
function entries(): number {
  const file = join(folder, 'killed/store.sqlite');
  if (!watched && !existsSync(file)) return 0;
  try {
    watched ??= openStore(file);
    return watched.size();
  } catch {
    // The run is creating it at this moment.
    return 0;
  }
}

describe('a run that is killed', () => {
  it(`and resumed ${KILLS} times writes the same bytes, and generates nothing twice beyond the batch in hand`, async () => {
    const plain = runSafeInfer(args('plain'), folder);
    expect(plain.code).toBe(0);
    let kills = 0;
    // Seeded, so that a failure can be repeated: between one and four stored batches of life each time.
    for (let i = 0; i < KILLS; i += 1) {
      const growth = KILLS > 10 ? 1 : 2 + ((i * 7) % 5);
      if ((await killAfter(growth, (i * 37) % 120)) === 'killed') kills += 1;
    }
    // The last lives may find nothing left to do.
    expect(kills).toBeGreaterThanOrEqual(KILLS > 10 ? KILLS - 2 : 1);
    expect(runSafeInfer(args('killed'), folder).code).toBe(0);
    for (const name of REPORTS) {
      const bytes = (place: string): string =>
        readFileSync(join(folder, place, 'out', name), 'utf8').replaceAll(`${place}/out`, 'out');
      expect(bytes('killed') === bytes('plain'), `${name} has the bytes of a plain run`).toBe(true);
    }
    using one = openStore(join(folder, 'plain/store.sqlite'));
    using other = openStore(join(folder, 'killed/store.sqlite'));
    expect(other.size()).toBe(one.size());
    // Negative control: the answers are really taken from the store.
    const again = runSafeInfer(args('killed'), folder);
    expect(again.code).toBe(0);
    expect(other.size()).toBe(one.size());
  }, 900_000);
});
