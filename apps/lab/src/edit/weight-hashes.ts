// SHA-256 of every weight of a model: which ones an edit changed, and whether undoing it brought back every bit.
import { createHash } from 'node:crypto';
import type { Transformer } from '@safeinfer/transformer';

export async function weightHashes(model: Transformer): Promise<ReadonlyMap<string, string>> {
  const hashes = new Map<string, string>();
  for (const [name, tensor] of model.weights) {
    const { buffer, byteOffset, byteLength } = await tensor.data();
    const bytes = new Uint8Array(buffer, byteOffset, byteLength);
    hashes.set(name, createHash('sha256').update(bytes).digest('hex'));
  }
  return hashes;
}

/** Names whose hash differs. */
export function changedWeights(
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): string[] {
  return [...after].filter(([name, hash]) => before.get(name) !== hash).map(([name]) => name);
}
