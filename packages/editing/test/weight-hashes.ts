// SHA-256 of every weight's bytes: what an edit may and may not change.
import { createHash } from 'node:crypto';
import type { Transformer, WeightName } from '@safeinfer/transformer';

export function weightHashes(model: Transformer): Map<WeightName, string> {
  return new Map(
    [...model.weights].map(([name, tensor]) => {
      const bytes = new Uint8Array((tensor.dataSync() as Float32Array).slice().buffer);
      return [name, createHash('sha256').update(bytes).digest('hex')];
    }),
  );
}
