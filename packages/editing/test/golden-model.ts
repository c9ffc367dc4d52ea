// The tiny models of the parity fixtures with the tokenizer that goes with the editing goldens.
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadModel, openSafetensors, type Transformer } from '@safeinfer/transformer';

const fixtures = fileURLToPath(new URL('../fixtures/', import.meta.url));
const models = fileURLToPath(new URL('../../transformer/fixtures/', import.meta.url));

export type GoldenModelName = 'gpt2' | 'llama';

export async function loadGoldenModel(name: GoldenModelName): Promise<Transformer> {
  const directory = mkdtempSync(join(tmpdir(), 'safeinfer-editing-'));
  try {
    cpSync(join(models, name), directory, { recursive: true });
    cpSync(join(fixtures, name, 'tokenizer'), directory, { recursive: true });
    return await loadModel({ path: directory });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

export function goldenJson<T>(name: GoldenModelName, file: string): T {
  return JSON.parse(readFileSync(join(fixtures, name, `${file}.json`), 'utf8')) as T;
}

export function goldenTensors(
  name: GoldenModelName,
  file: string,
): (tensor: string) => Promise<Float64Array> {
  return async (tensor) => {
    await using opened = await openSafetensors(join(fixtures, name, `${file}.safetensors`));
    return await opened.readFloat64(tensor);
  };
}

/** Columns of a row-major [rows, columns] tensor. */
export function columnsOf(values: Float64Array, count: number): Float64Array[] {
  return Array.from({ length: count }, (_, j) =>
    Float64Array.from({ length: values.length / count }, (_, i) => values[i * count + j]!),
  );
}

/** left rightT, row-major: what a delta is, whatever the scale of its factors. */
export function product(
  lefts: readonly Float64Array[],
  rights: readonly Float64Array[],
): Float64Array {
  const width = rights[0]!.length;
  const out = new Float64Array(lefts[0]!.length * width);
  for (const [r, left] of lefts.entries())
    for (let i = 0; i < left.length; i += 1)
      for (let j = 0; j < width; j += 1) out[i * width + j]! += left[i]! * rights[r]![j]!;
  return out;
}

export function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < b.length; i += 1) {
    ab += a[i]! * b[i]!;
    aa += a[i]! ** 2;
    bb += b[i]! ** 2;
  }
  return ab / Math.sqrt(aa * bb);
}

/** |a - b| / |b| */
export function relativeError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let difference = 0;
  let size = 0;
  for (let i = 0; i < b.length; i += 1) {
    difference += (a[i]! - b[i]!) ** 2;
    size += b[i]! ** 2;
  }
  return a.length === b.length ? Math.sqrt(difference / size) : Number.NaN;
}
