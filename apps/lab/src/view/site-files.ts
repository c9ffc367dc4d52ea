// The built pages of @safeinfer/viewer, read once: three files, so nothing on the disk can be asked for by path.
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SafeInferError } from '@safeinfer/backend';

export interface SiteFile {
  readonly path: string;
  readonly type: string;
  readonly content: string;
}

const FILES = [
  { path: 'index.html', type: 'text/html; charset=utf-8' },
  { path: 'assets/app.js', type: 'text/javascript; charset=utf-8' },
  { path: 'assets/app.css', type: 'text/css; charset=utf-8' },
] as const;

/** @throws NOT_FOUND when the viewer has not been built. */
export async function readSite(): Promise<readonly SiteFile[]> {
  const manifest = fileURLToPath(import.meta.resolve('@safeinfer/viewer/package.json'));
  const directory = join(dirname(manifest), 'dist/site');
  return Promise.all(
    FILES.map(async (file) => {
      try {
        return { ...file, content: await readFile(join(directory, file.path), 'utf8') };
      } catch (cause) {
        throw new SafeInferError(
          `the viewer is not built: ${join(directory, file.path)} is missing`,
          {
            code: 'NOT_FOUND',
            hint: 'in a checkout run "pnpm build" once; the published package carries these files',
            cause,
          },
        );
      }
    }),
  );
}
