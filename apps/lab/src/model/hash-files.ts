// One hash over the files of a directory that decide what a model or an adapter computes.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Files that decide what a model computes; a README beside them does not. */
const DECISIVE = /\.(safetensors|json|jinja|model)$/;

/** Whatever of a directory changes when its content does: much cheaper to read than the content. */
export async function directoryStamp(directory: string): Promise<string> {
  const lines = await Promise.all(
    (await decisiveFiles(directory)).map(async (name) => {
      const { size, mtimeMs } = await stat(join(directory, name));
      return `${name} ${size} ${mtimeMs}`;
    }),
  );
  return lines.join('\n');
}

/** Over names and content, in the order of names. */
export async function hashFiles(directory: string): Promise<string> {
  const hash = createHash('sha256');
  for (const name of await decisiveFiles(directory)) {
    hash.update(`${name}\n`);
    for await (const chunk of createReadStream(join(directory, name))) hash.update(chunk as Buffer);
  }
  return hash.digest('hex');
}

async function decisiveFiles(directory: string): Promise<string[]> {
  return (await readdir(directory)).filter((name) => DECISIVE.test(name)).sort();
}

/** Of one file, however large. */
export async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
