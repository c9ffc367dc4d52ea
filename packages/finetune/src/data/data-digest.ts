// A digest of training data, by which a checkpoint knows the data it belongs to.
import { createHash } from 'node:crypto';
import type { TrainingExample } from './example.ts';

/** SHA-256 over tokens and weights of all examples in order, as hexadecimal digits. */
export function dataDigest(examples: readonly TrainingExample[]): string {
  const hash = createHash('sha256');
  for (const { tokens, weights } of examples) {
    hash.update(Int32Array.from([tokens.length]));
    hash.update(Int32Array.from(tokens));
    hash.update(Float64Array.from(weights));
  }
  return hash.digest('hex');
}
