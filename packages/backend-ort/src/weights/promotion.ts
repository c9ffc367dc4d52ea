// When a right operand counts as a constant weight and moves into a session of its own.
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { OrtBackend } from '../ort-backend.ts';
import { dropArray } from './collect-garbage.ts';
import { EightBitWeight } from './eight-bit-weight.ts';
import { type ConstantWeight, PackedWeight } from './packed-weight.ts';

/** Smaller matrices stay in cache, where packing gains nothing over its 20 ms. */
const SMALLEST_WEIGHT = 2 ** 16;
/** Products of more rows than this repay an unpacked weight: they pack it on the fly at little cost. */
const FEW_ROWS = 64;
/**
 * A matrix the user made and multiplies by few rows is a weight: packed at once, because packed products
 * give a row the same bits whatever other rows there are, and unpacked ones do not (measured). One that a
 * kernel made may be an activation: it has to come back this often.
 */
const USES_BEFORE_PACKING = 3;

/**
 * The session that holds `weight` (rank 2, or with outer sizes of 1), packed now if it has earned it;
 * undefined when the product must take it as an input.
 */
export function packedFor(
  backend: OrtBackend,
  use: { readonly weight: TensorInfo; readonly transposed: boolean; readonly rows: number },
): ConstantWeight | undefined {
  const { weight, transposed, rows } = use;
  const record = backend.record(weight.dataId);
  if (record.packed !== undefined) {
    if (record.packed.transposed === transposed) return record.packed;
    return undefined;
  }
  const shape = weight.shape.slice(-2) as [number, number];
  if (shape[0] * shape[1] < SMALLEST_WEIGHT) return undefined;
  if (rows <= FEW_ROWS) record.uses++;
  const enough = record.poolable ? USES_BEFORE_PACKING : 1;
  // Where weights are rounded, every product must see the same ones, of however many rows.
  const rounded = backend.weights === 'int8' && !record.poolable && record.uses >= 0;
  const due = record.constant || rounded || (rows <= FEW_ROWS && record.uses >= enough);
  if (!due) return undefined;
  const values = record.own() as Float32Array;
  const options = { values, shape, transposed, threads: backend.threads };
  const packed =
    backend.weights === 'int8'
      ? EightBitWeight.pack({ ...options, sums: backend.rounding })
      : PackedWeight.pack(options);
  if (packed === undefined) {
    // It cannot be packed: ask again only after many more uses.
    record.uses = Number.NEGATIVE_INFINITY;
    return undefined;
  }
  record.pack(packed);
  dropArray(values.byteLength);
  return packed;
}
