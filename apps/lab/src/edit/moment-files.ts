// Files of second moments, each read once: what the check before a run has read is what the edits use.
import { readFile } from 'node:fs/promises';
import { SafeInferError } from '@safeinfer/backend';
import { type MeasuredMoment, readMomentNpz, readMoments } from '@safeinfer/editing';

type Moments = ReadonlyMap<number, MeasuredMoment>;

/** Moments of a file by layer; an .npz file holds those of the one layer asked for. Throws NOT_FOUND, BAD_FILE, BAD_ARGUMENT. */
export type MomentFiles = (path: string, layers: readonly number[]) => Promise<Moments>;

/** What is read stays in memory as long as the function does: no longer than a run. */
export function createMomentFiles(): MomentFiles {
  const known = new Map<string, Promise<Moments>>();
  return (path, layers) => {
    const name = path.endsWith('.npz') ? JSON.stringify([path, layers]) : path;
    const moments = known.get(name) ?? read(path, layers);
    known.set(name, moments);
    return moments;
  };
}

async function read(file: string, layers: readonly number[]): Promise<Moments> {
  if (!file.endsWith('.npz')) return await readMoments(file);
  const [layer] = layers;
  if (layers.length !== 1) {
    throw new SafeInferError('an .npz file holds one layer', {
      code: 'BAD_ARGUMENT',
      hint: 'gather several with readMomentNpz and writeMoments, and give that file',
    });
  }
  let bytes: Uint8Array;
  try {
    bytes = await readFile(file);
  } catch (cause) {
    throw new SafeInferError(`cannot read ${file}: ${(cause as Error).message}`, {
      code: 'NOT_FOUND',
      hint: 'name a file of second moments, .safetensors or .npz',
      cause,
    });
  }
  return new Map([[layer!, readMomentNpz(bytes)]]);
}
