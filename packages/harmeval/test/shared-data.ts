// Where the reference data of the workspace lies, when it is there.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root: string =
  process.env['SAFEINFER_SHARED'] ?? fileURLToPath(new URL('../../../../shared', import.meta.url));

export const hasSharedData: boolean = existsSync(join(root, 'data', 'MANIFEST.md'));

export function sharedFile(path: string): string {
  return join(root, 'data', path);
}

export function sharedBytes(path: string): Uint8Array {
  return readFileSync(sharedFile(path));
}

export function sharedText(path: string): string {
  return readFileSync(sharedFile(path), 'utf8');
}
