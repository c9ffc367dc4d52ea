// When a right operand counts as a constant weight and moves into a session of its own.
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { OrtBackend } from '../ort-backend.ts';
import { PackedWeight } from './packed-weight.ts';

/** Smaller matrices stay in cache, where packing gains nothing over its 20 ms. */
const SMALLEST_WEIGHT = 2 ** 16;
/** Products of more rows than this repay an unpacked weight: they pack it on the fly at little cost. */
const FEW_ROWS = 64;
/** A matrix that has been multiplied by few rows this often is a weight, not an activation. */
const USES_BEFORE_PACKING = 3;

/**
 * The session that holds `weight` (rank 2, or with outer sizes of 1), packed now if it has earned it;
 * undefined when the product must take it as an input.
 */
export function packedFor(
  backend: OrtBackend,
  use: { readonly weight: TensorInfo; readonly transposed: boolean; readonly rows: number },
): PackedWeight | undefined {
  const { weight, transposed, rows } = use;
  const record = backend.record(weight.dataId);
  if (record.packed !== undefined) {
    if (record.packed.transposed === transposed) return record.packed;
    return undefined;
  }
  const shape = weight.shape.slice(-2) as [number, number];
  if (shape[0] * shape[1] < SMALLEST_WEIGHT || record.poolable) return undefined;
  const due = record.constant || (rows <= FEW_ROWS && ++record.uses >= USES_BEFORE_PACKING);
  if (!due) return undefined;
  const values = record.own() as Float32Array;
  const packed = PackedWeight.pack({ values, shape, transposed, threads: backend.threads });
  if (packed === undefined) {
    // It cannot be packed: ask again only after many more uses.
    record.uses = Number.NEGATIVE_INFINITY;
    return undefined;
  }
  record.pack(packed);
  return packed;
}
