// Where a run writes: checked before any work, filled only with whole files.
import { accessSync, constants, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { SafeInferError } from '@safeinfer/backend';

export interface RunDirectory {
  readonly path: string;
  /** Writes a file completely or not at all, and returns its path. */
  write(name: string, content: string): string;
}

/** @throws IO when the directory cannot be created or written to. */
export function openRunDirectory(path: string): RunDirectory {
  const directory = resolve(path);
  try {
    mkdirSync(directory, { recursive: true });
    accessSync(directory, constants.W_OK);
    // Permission bits do not tell about read-only mounts and full disks; a file does.
    const probe = join(directory, '.writable');
    writeFileSync(probe, '');
    rmSync(probe);
  } catch (cause) {
    throw new SafeInferError(`cannot write to ${directory}: ${(cause as Error).message}`, {
      code: 'IO',
      hint: 'name another directory with --out',
      cause,
    });
  }
  return {
    path: directory,
    write(name, content) {
      const target = join(directory, name);
      mkdirSync(dirname(target), { recursive: true });
      const temporary = `${target}.partial`;
      writeFileSync(temporary, content);
      renameSync(temporary, target);
      return target;
    },
  };
}
