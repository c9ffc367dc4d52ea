// Where the reference models that are not part of this repository lie, if they are here.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root: string =
  process.env['SAFEINFER_SHARED'] ?? fileURLToPath(new URL('../../../../shared', import.meta.url));

/** Path of a folder of shared models. */
export function sharedModel(name: string): string {
  return `${root}/models/${name}`;
}

/** True when the folder is here; tests that need it are skipped otherwise. */
export function hasSharedModel(name: string): boolean {
  return existsSync(sharedModel(name));
}
