// A weight as a short-lived file: the session maps it, so that packing leaves exactly one copy in memory.
import { mkdtempSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

let folder: string | undefined;
let count = 0;

/**
 * Runs `use` with `data` in a file `name` of `folder`, which is gone afterwards. Data handed over inside
 * the model costs two more heap copies, and glibc keeps the holes: twice the memory (measured).
 * Throws the file system's error where there is no room.
 */
export function withFile<T>(data: Float32Array, use: (folder: string, name: string) => T): T {
  folder ??= makeFolder();
  const name = `w${count++}`;
  const path = join(folder, name);
  try {
    writeFileSync(path, new Uint8Array(data.buffer, data.byteOffset, data.byteLength), {
      mode: 0o600,
    });
    return use(folder, name);
  } finally {
    try {
      unlinkSync(path);
    } catch {
      // It was never written: the error under way says so.
    }
  }
}

function makeFolder(): string {
  const made = mkdtempSync(join(tmpdir(), 'safeinfer-ort-'));
  process.once('exit', () => rmSync(made, { recursive: true, force: true }));
  return made;
}
