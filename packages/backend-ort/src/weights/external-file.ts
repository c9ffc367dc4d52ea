// A weight as a short-lived file: the session maps it, so that packing leaves exactly one copy in memory.
import { closeSync, mkdtempSync, openSync, rmSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

let folder: string | undefined;
let count = 0;

/**
 * Runs `use` with the `pieces` one after another in a file `name` of `folder`, which is gone afterwards. Data handed
 * over inside the model costs two more heap copies, and glibc keeps the holes: twice the memory (measured).
 * Throws the file system's error where there is no room.
 */
export function withFile<T>(
  pieces: Iterable<Float32Array>,
  use: (folder: string, name: string) => T,
): T {
  folder ??= makeFolder();
  const name = `w${count++}`;
  const path = join(folder, name);
  try {
    write(path, pieces);
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

function write(path: string, pieces: Iterable<Float32Array>): void {
  const file = openSync(path, 'w', 0o600);
  try {
    for (const piece of pieces) {
      const bytes = new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength);
      // A write may take less than it was given: Linux stops at 2 GB.
      for (let done = 0; done < bytes.length; done += writeSync(file, bytes, done)) {}
    }
  } finally {
    closeSync(file);
  }
}
