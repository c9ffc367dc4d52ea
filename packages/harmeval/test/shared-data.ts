// Where the reference data of the workspace lies, when it is there.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root: string =
  process.env['SAFEINFER_SHARED'] ?? fileURLToPath(new URL('../../../../shared', import.meta.url));

export const hasSharedData: boolean = existsSync(join(root, 'data', 'MANIFEST.md'));

export function sharedFile(path: string): string {
  return join(root, 'data', path);
}
