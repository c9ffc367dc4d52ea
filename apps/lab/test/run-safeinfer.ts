// Starts the real executable: the built one where `npm test` has just built it, else the sources.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const bin = fileURLToPath(new URL('../src/bin.ts', import.meta.url));
const built = fileURLToPath(new URL('../dist/bin.js', import.meta.url));

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Arguments for node itself. */
export function safeInferCommand(args: readonly string[]): string[] {
  if (process.env['SAFEINFER_BUILT'] === '1') return [built, ...args];
  return ['-C', '@safeinfer/source', '--import', import.meta.resolve('tsx'), bin, ...args];
}

export function runSafeInfer(args: readonly string[], cwd: string): Finished {
  const { status, stdout, stderr } = spawnSync(process.execPath, safeInferCommand(args), {
    cwd,
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1' },
  });
  return { code: status, stdout, stderr };
}
