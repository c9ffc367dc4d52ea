// Scaled dot-product attention over blocks of keys, composed of batched matmuls; grouped heads, shared prefixes.
import * as tf from '@tensorflow/tfjs-core';

/**
 * Keys and values that some streams read: [R, kv, n, e]. Stream s of S reads chunk row floor(s / (S / R)),
 * so R = S is one row each and R = 1 a prefix that every stream shares without a copy.
 */
export interface KeyBlock {
  readonly k: tf.Tensor4D;
  readonly v: tf.Tensor4D;
}

/**
 * Unmasked scores q.k [S, h, T, n] of one block, `q` [S, h, T, e] already scaled. Query heads are grouped
 * consecutively on key heads, as Hugging Face's repeat_interleave does.
 */
export function blockScores(q: tf.Tensor4D, k: tf.Tensor4D): tf.Tensor4D {
  const [streams, heads, length, width] = q.shape;
  const [rows, kvHeads, keys] = k.shape;
  const folded = foldQueries(q, rows, kvHeads);
  const scores: tf.Tensor3D = tf.matMul(
    folded,
    tf.reshape(k, [rows * kvHeads, keys, width]),
    false,
    true,
  );
  return unfoldQueries(scores, { streams, heads, length, rows, kvHeads });
}

/** Weighted values [S, h, T, e] of one block; `pattern` [S, h, T, n]. */
export function blockValues(pattern: tf.Tensor4D, v: tf.Tensor4D): tf.Tensor4D {
  const [streams, heads, length] = pattern.shape;
  const [rows, kvHeads, keys, width] = v.shape;
  const folded = foldQueries(pattern, rows, kvHeads);
  const values: tf.Tensor3D = tf.matMul(folded, tf.reshape(v, [rows * kvHeads, keys, width]));
  return unfoldQueries(values, { streams, heads, length, rows, kvHeads });
}

/** [S, h, T, w] -> [R * kv, (S / R) * (h / kv) * T, w]: everything that reads the same keys, side by side. */
function foldQueries(x: tf.Tensor4D, rows: number, kvHeads: number): tf.Tensor3D {
  const [streams, heads, length, width] = x.shape;
  const share = streams / rows;
  const perKey = (heads / kvHeads) * length;
  if (share === 1) return tf.reshape(x, [rows * kvHeads, perKey, width]);
  const split = tf.reshape(x, [rows, share, kvHeads, perKey, width]);
  const moved = tf.transpose(split, [0, 2, 1, 3, 4]);
  return tf.reshape(moved, [rows * kvHeads, share * perKey, width]);
}

function unfoldQueries(
  x: tf.Tensor3D,
  sizes: {
    readonly streams: number;
    readonly heads: number;
    readonly length: number;
    readonly rows: number;
    readonly kvHeads: number;
  },
): tf.Tensor4D {
  const { streams, heads, length, rows, kvHeads } = sizes;
  const width = x.shape[2];
  const share = streams / rows;
  if (share === 1) return tf.reshape(x, [streams, heads, length, width]);
  const split = tf.reshape(x, [rows, kvHeads, share, (heads / kvHeads) * length, width]);
  return tf.reshape(tf.transpose(split, [0, 2, 1, 3, 4]), [streams, heads, length, width]);
}

/** cap * tanh(x / cap), Gemma 2's soft cap. */
export function softcap<T extends tf.Tensor>(x: T, cap: number | null): T {
  return cap === null ? x : tf.mul(tf.tanh(tf.div(x, cap)), cap);
}
