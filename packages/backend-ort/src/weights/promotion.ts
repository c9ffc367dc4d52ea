// When a right operand counts as a constant weight and moves into a session of its own.
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { OrtBackend } from '../ort-backend.ts';
import { SMALLEST_WEIGHT, type TensorRecord } from '../storage/tensor-record.ts';
import { dropArray } from './collect-garbage.ts';
import { EightBitWeight } from './eight-bit-weight.ts';
import { JoinedWeight, JoinedWeights } from './joined-weights.ts';
import { type ConstantWeight, PackedWeight } from './packed-weight.ts';

/**
 * Products of more rows than this pack a weight on the fly. Data matrices meet one such product, so a second one has
 * to come before a matrix is taken for a weight.
 */
const FEW_ROWS = 64;
const MANY_ROW_USES = 2;
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
  if (record.packed?.unsettled === true) record.takeBack();
  if (record.packed !== undefined) {
    if (record.packed.transposed === transposed) return record.packed;
    return undefined;
  }
  const shape = weight.shape.slice(-2) as [number, number];
  const due = earned(record, rows);
  // Small ones count too: with the others of its block one may find a session.
  if (rows <= FEW_ROWS) record.uses++;
  else record.manyRowUses++;
  if (shape[0] * shape[1] < SMALLEST_WEIGHT) return undefined;
  // Where weights are rounded, every product must see the same ones, of however many rows.
  const rounded = backend.weights === 'int8' && !record.poolable && record.uses >= 0;
  if (!due && !rounded) return undefined;
  const values = record.own() as Float32Array;
  const options = { values, shape, transposed, threads: backend.threads };
  const packed =
    backend.weights === 'int8'
      ? EightBitWeight.pack({ ...options, sums: backend.rounding })
      : PackedWeight.pack(options);
  if (packed === undefined) {
    // It cannot be packed: ask again only after many more uses.
    record.uses = Number.NEGATIVE_INFINITY;
    record.manyRowUses = Number.NEGATIVE_INFINITY;
    return undefined;
  }
  record.pack(packed);
  dropArray(values.byteLength);
  return packed;
}

/** True when this product, by `rows` rows, is the one at which the matrix counts as a weight. */
function earned(record: TensorRecord, rows: number): boolean {
  if (record.constant) return true;
  if (rows > FEW_ROWS) return !record.poolable && record.manyRowUses + 1 >= MANY_ROW_USES;
  return record.uses + 1 >= (record.poolable ? USES_BEFORE_PACKING : 1);
}

/** True for a weight that a session of several may take, now that it meets `rows` rows. */
export function mayJoin(record: TensorRecord, { shape }: TensorInfo, rows: number): boolean {
  if (record.dtype !== 'float32' || shape.length !== 2) return false;
  const { packed } = record;
  if (packed !== undefined) return packed instanceof PackedWeight && !packed.transposed;
  return earned(record, rows);
}

/** True for a weight that is in 8 bits or would be at its first product. */
export function mayRound(record: TensorRecord, { shape }: TensorInfo): boolean {
  if (record.dtype !== 'float32' || shape.length !== 2) return false;
  if (shape[0]! * shape[1]! < SMALLEST_WEIGHT) return false;
  const { packed } = record;
  if (packed !== undefined) return packed instanceof EightBitWeight && !packed.transposed;
  return !record.poolable && record.uses >= 0;
}

/** Weights that could not be joined (NaN in one, no room for the file): not tried again. */
const unjoinable = new WeakSet<TensorRecord>();

/**
 * The session that holds `weights` (rank 2, of one left operand) side by side, made now if each has earned its
 * packing; undefined when they are multiplied one by one.
 */
export function joinedFor(
  backend: OrtBackend,
  use: { readonly weights: readonly TensorInfo[]; readonly rows: number },
): JoinedWeights | undefined {
  const { weights, rows } = use;
  const records = weights.map(({ dataId }) => backend.record(dataId));
  const first = records[0]!.packed;
  if (first instanceof JoinedWeight) {
    const { members, broken } = first.group;
    const whole = members.length === records.length && !broken;
    return whole && members.every((member, i) => member === records[i]!.packed)
      ? first.group
      : undefined;
  }
  // 8-bit weights have a layout of their own.
  if (backend.weights !== 'float32') return undefined;
  const inner = weights[0]!.shape[0]!;
  const ready = (record: TensorRecord, weight: TensorInfo): boolean =>
    !unjoinable.has(record) &&
    weight.shape[0] === inner &&
    inner * weight.shape[1]! >= SMALLEST_WEIGHT &&
    mayJoin(record, weight, rows);
  if (new Set(records).size < records.length) return undefined;
  if (!records.every((record, i) => ready(record, weights[i]!))) return undefined;
  const values = records.map((record) => record.readBack() as Float32Array);
  const joined = JoinedWeights.join({ values, inner, threads: backend.threads });
  if (joined === undefined) {
    for (const record of records) unjoinable.add(record);
    return undefined;
  }
  records.forEach((record, i) => {
    record.pack(joined.members[i]!);
    dropArray(values[i]!.byteLength);
  });
  return joined;
}
