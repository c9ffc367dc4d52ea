// Paths that an experiment names, and hashes of what is there.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { SafeInferError } from '@safeinfer/backend';

/** Paths in an experiment are relative to the experiment file. */
export function besideExperiment(path: string, experimentFile: string): string {
  return resolve(dirname(experimentFile), path);
}

/** @throws NOT_FOUND when the file cannot be read; `what` names it. */
export function readBeside(path: string, experimentFile: string, what: string): Buffer {
  try {
    return readFileSync(besideExperiment(path, experimentFile));
  } catch (cause) {
    throw new SafeInferError(`cannot read ${what}: ${(cause as Error).message}`, {
      code: 'NOT_FOUND',
      hint: 'paths in an experiment are relative to the experiment file',
      cause,
    });
  }
}

export function sha256Of(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}
