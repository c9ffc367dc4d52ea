// Runs a command in this process: the same program without the seconds that a fresh one spends on reading its sources.
import { CommanderError } from 'commander';
import { createProgram } from '../src/cli/program.ts';
import { reportFailure } from '../src/cli/report-failure.ts';
import type { Finished } from './run-safeinfer.ts';

export async function runInProcess(args: readonly string[], cwd: string): Promise<Finished> {
  const written = { stdout: '', stderr: '' };
  const before = process.cwd();
  const streams = (['stdout', 'stderr'] as const).map((name) => {
    const stream = process[name];
    const own = stream.write;
    stream.write = (text: string | Uint8Array): boolean => {
      written[name] += text.toString();
      return true;
    };
    return () => {
      stream.write = own;
    };
  });
  process.chdir(cwd);
  let code = 0;
  try {
    const { signal } = new AbortController();
    await createProgram({ signal }).parseAsync(['node', 'safeinfer', ...args]);
  } catch (error) {
    code = error instanceof CommanderError ? (error.exitCode === 0 ? 0 : 2) : reportFailure(error);
  } finally {
    process.chdir(before);
    for (const restore of streams) restore();
  }
  return { code, ...written };
}
