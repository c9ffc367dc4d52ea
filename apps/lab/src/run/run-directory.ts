// Where a run writes: checked before any work, filled only with whole files.
import {
  accessSync,
  appendFileSync,
  closeSync,
  constants,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { SafeInferError } from '@safeinfer/backend';

export interface RunDirectory {
  readonly path: string;
  /** Writes a file completely or not at all, and returns its path. */
  write(name: string, content: string): string;
  /** A file of many lines, whole once it is finished; `abandon` leaves what was there before. */
  lines(name: string): LineFile;
}

export interface LineFile {
  add(line: string): void;
  finish(): string;
  abandon(): void;
}

/** Lines are written in portions of about so many characters. */
const PORTION = 1 << 18;

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
    lines: (name) => lineFile(join(directory, name)),
  };
}

function lineFile(target: string): LineFile {
  const temporary = `${target}.partial`;
  const file = openSync(temporary, 'w');
  let pending: string[] = [];
  let size = 0;
  let open = true;
  const close = (): void => {
    if (!open) return;
    open = false;
    closeSync(file);
  };
  const flush = (): void => {
    appendFileSync(file, pending.join(''));
    pending = [];
    size = 0;
  };
  return {
    add(line) {
      pending.push(`${line}\n`);
      size += line.length;
      if (size > PORTION) flush();
    },
    finish() {
      flush();
      close();
      renameSync(temporary, target);
      return target;
    },
    abandon() {
      // Also after `finish` failed: what went wrong there is told, not a second close.
      close();
      rmSync(temporary, { force: true });
    },
  };
}
