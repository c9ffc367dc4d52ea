// The --out folder of `safeinfer edit`: made only when needed, and gone again when a refusal leaves it empty.
import { existsSync, readdirSync, rmdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { openRunDirectory, type RunDirectory } from '../run/run-directory.ts';

export interface EditOutput extends Disposable {
  readonly directory: RunDirectory;
}

/**
 * Opens the folder; disposing it removes the folders that were made for it and are still empty. Files stay, above
 * all moments.safetensors: collecting may take hours, and the next run goes on from it.
 * @throws IO when the folder cannot be written to
 */
export function openOutput(path: string): EditOutput {
  const made: string[] = [];
  for (let at = resolve(path); !existsSync(at); at = dirname(at)) made.push(at);
  return {
    directory: openRunDirectory(path),
    [Symbol.dispose]() {
      for (const folder of made) {
        if (!existsSync(folder) || readdirSync(folder).length > 0) return;
        rmdirSync(folder);
      }
    },
  };
}
