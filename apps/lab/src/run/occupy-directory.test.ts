import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { occupyDirectory } from './occupy-directory.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'occupied-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('occupyDirectory', () => {
  it('lets in one writer at a time', () => {
    const first = occupyDirectory(directory);
    expect(() => occupyDirectory(directory)).toThrow(/another run is writing/);
    first[Symbol.dispose]();
    occupyDirectory(directory)[Symbol.dispose]();
  });

  it('is free again at once when its holder was killed', async () => {
    const libsql = createRequire(import.meta.url).resolve('libsql');
    const script = `
      const lock = new (require(${JSON.stringify(libsql)}))(${JSON.stringify(join(directory, '.lock'))});
      lock.exec('BEGIN EXCLUSIVE');
      console.log('held');
      setInterval(() => {}, 1000);`;
    const holder = spawn(process.execPath, ['-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(holder.stdout!, 'data');
    expect(() => occupyDirectory(directory)).toThrow(/another run is writing/);
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    occupyDirectory(directory)[Symbol.dispose]();
  }, 30_000);
});
