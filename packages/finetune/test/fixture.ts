// Fixtures: base models of the transformer package, adapters and training runs of PEFT and PyTorch.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { openSafetensors } from '@safeinfer/transformer';
import type * as tf from '@tensorflow/tfjs-core';

/** Path of a fixture folder of this package. */
export function fixture(name: string): string {
  return fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
}

/** Path of a base model, as `golden.json` names it (`transformer/fixtures/llama`). */
export function baseModel(name: string): string {
  return fileURLToPath(new URL(`../../${name}`, import.meta.url));
}

/** The parsed golden.json of a fixture. */
export function golden<T>(name: string): T {
  return JSON.parse(readFileSync(fixture(`${name}/golden.json`), 'utf8')) as T;
}

/** Tensors of a fixture's golden.safetensors (or another file of it). */
export async function goldenTensors(
  name: string,
  file = 'golden.safetensors',
): Promise<Map<string, { readonly shape: readonly number[]; readonly data: Float32Array }>> {
  await using source = await openSafetensors(fixture(`${name}/${file}`));
  const tensors = new Map<string, { shape: readonly number[]; data: Float32Array }>();
  for (const key of source.tensors.keys()) {
    const { shape, data } = await source.read(key);
    tensors.set(key, { shape, data: data as Float32Array });
  }
  return tensors;
}

/** Largest absolute difference. */
export function difference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    const own = Math.abs((a[i] as number) - (b[i] as number));
    if (!(own <= largest)) largest = own;
  }
  return largest;
}

/** [rows, columns] values, row-major, transposed. */
export function transposed(tensor: tf.Tensor): Float32Array {
  const [rows, columns] = tensor.shape as [number, number];
  const values = tensor.dataSync();
  return Float32Array.from(
    { length: values.length },
    (_, i) => values[(i % rows) * columns + Math.floor(i / rows)] as number,
  );
}
