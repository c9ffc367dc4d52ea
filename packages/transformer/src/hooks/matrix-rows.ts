// One row's part of an attention matrix [S, h, T, K], without the padding of queries and keys.
import * as tf from '@tensorflow/tfjs-core';

/** Which slots of a packed attention matrix are real. */
export interface MatrixFrame {
  /** Per stream, positions of the T query slots; -1 is padding. */
  readonly queries: readonly Int32Array[];
  /** Per stream, positions of the K key slots; -1 is padding. */
  readonly keys: readonly Int32Array[];
}

/** True when no slot is padding, so every row's part is a plain slice. */
export function isDense({ queries, keys }: MatrixFrame): boolean {
  return [...queries, ...keys].every((positions) => positions.every((position) => position >= 0));
}

/** [h, q, k] of stream `s`. */
export function takeMatrix(x: tf.Tensor4D, s: number, frame: MatrixFrame): tf.Tensor3D {
  const [, heads, length, width] = x.shape;
  const one: tf.Tensor3D = tf.reshape(tf.slice(x, [s, 0, 0, 0], [1, -1, -1, -1]), [
    heads,
    length,
    width,
  ]);
  const queries = realSlots(frame.queries[s] as Int32Array);
  const keys = realSlots(frame.keys[s] as Int32Array);
  return takeAxis(takeAxis(one, queries, 1), keys, 2);
}

/** `x` with stream `s` replaced by `y` [h, q, k]; padding keeps its values. */
export function putMatrix(
  x: tf.Tensor4D,
  y: tf.Tensor3D,
  s: number,
  frame: MatrixFrame,
): tf.Tensor4D {
  const [streams, heads, length, width] = x.shape;
  const queries = realSlots(frame.queries[s] as Int32Array);
  const keys = realSlots(frame.keys[s] as Int32Array);
  let one: tf.Tensor4D = tf.reshape(y, [1, heads, queries.length, keys.length]);
  if (queries.length < length || keys.length < width) {
    const spread = putAxis(putAxis(y, queries, length, 1), keys, width, 2);
    const real = new Uint8Array(length * width);
    for (const q of queries) for (const k of keys) real[q * width + k] = 1;
    one = tf.where(
      tf.tensor4d(real, [1, 1, length, width], 'bool'),
      tf.reshape(spread, [1, heads, length, width]),
      tf.slice(x, [s, 0, 0, 0], [1, -1, -1, -1]),
    );
  }
  const parts: tf.Tensor4D[] = [one];
  if (s > 0) parts.unshift(tf.slice(x, [0, 0, 0, 0], [s, -1, -1, -1]));
  if (s < streams - 1) parts.push(tf.slice(x, [s + 1, 0, 0, 0], [-1, -1, -1, -1]));
  return parts.length === 1 ? one : tf.concat(parts, 0);
}

function realSlots(positions: Int32Array): number[] {
  const slots: number[] = [];
  positions.forEach((position, slot) => {
    if (position >= 0) slots.push(slot);
  });
  return slots;
}

function takeAxis(x: tf.Tensor3D, slots: readonly number[], axis: 1 | 2): tf.Tensor3D {
  if (slots.length === x.shape[axis]) return x;
  return tf.gather(x, tf.tensor1d(slots as number[], 'int32'), axis);
}

/** The inverse of takeAxis; slots that were not taken hold copies of slot 0 of `x`. */
function putAxis(x: tf.Tensor3D, slots: readonly number[], size: number, axis: 1 | 2): tf.Tensor3D {
  if (slots.length === size) return x;
  const index = new Int32Array(size);
  slots.forEach((slot, i) => {
    index[slot] = i;
  });
  return tf.gather(x, tf.tensor1d(index, 'int32'), axis);
}
