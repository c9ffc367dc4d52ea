// An edit as an adapter: y += (x left) rightT beside the untouched weight, for the rows that name it.
import { SafeInferError } from '@safeinfer/backend';
import type { Adapter, Delta, WeightName } from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import { factorsOf, type WeightDelta } from '../delta/weight-delta.ts';

/** @throws UNSUPPORTED for a dense delta. The caller owns the tensors: `disposeSidePath`. */
export function sidePathAdapter(deltas: readonly WeightDelta[]): Adapter {
  const byWeight = new Map<WeightName, { lefts: Float64Array[]; rights: Float64Array[] }>();
  for (const delta of deltas) {
    const factors = factorsOf(delta);
    if (!factors) throw noSidePath();
    const entry = byWeight.get(delta.weight) ?? { lefts: [], rights: [] };
    byWeight.set(delta.weight, entry);
    entry.lefts.push(...factors.lefts);
    entry.rights.push(...factors.rights);
  }
  const made = new Map<WeightName, Delta>();
  for (const [weight, { lefts, rights }] of byWeight) {
    made.set(weight, {
      A: tf.tidy(() => tf.transpose(matrix(lefts))),
      B: matrix(rights),
      scale: 1,
    });
  }
  return { deltas: made };
}

export function noSidePath(): SafeInferError {
  return new SafeInferError('a fine-tuned weight has no small form for a side path', {
    code: 'UNSUPPORTED',
    hint: "use a session in mode 'weights'",
  });
}

export function disposeSidePath({ deltas }: Adapter): void {
  for (const { A, B } of deltas.values()) tf.dispose([A, B]);
}

function matrix(rows: readonly Float64Array[]): tf.Tensor2D {
  const width = rows[0]!.length;
  const all = new Float32Array(rows.length * width);
  for (const [i, row] of rows.entries()) all.set(row, i * width);
  return tf.tensor2d(all, [rows.length, width]);
}
