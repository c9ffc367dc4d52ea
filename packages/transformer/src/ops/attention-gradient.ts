// Attention over one block of keys with its gradient: two passes over the scores backward instead of five.
import * as tf from '@tensorflow/tfjs-core';

/**
 * softmax(q k + mask) v for passes under a gradient tape: `q` [S, h, T, e] scaled, `k` and `v` [S, kv, n, e] with
 * query heads grouped on key heads, `mask` [S or 1, 1, T, n]. Returns [S, h, T, e].
 *
 * The row sums of the softmax's gradient are those of dz * z (Dao et al. 2022, section 3.1).
 */
export function tapedAttention(options: {
  readonly q: tf.Tensor4D;
  readonly k: tf.Tensor4D;
  readonly v: tf.Tensor4D;
  readonly mask: tf.Tensor4D | undefined;
}): tf.Tensor4D {
  const { q, k, v, mask } = options;
  const [streams, heads, length, width] = q.shape;
  const [, kvHeads, keys] = k.shape;
  const groups = streams * kvHeads;
  const lines = (heads / kvHeads) * length;
  const folded = (x: tf.Tensor, last: number): tf.Tensor3D => tf.reshape(x, [groups, lines, last]);
  const run = tf.customGrad((...inputs) => {
    const [query, key, value, save] = inputs as unknown as [
      tf.Tensor4D,
      tf.Tensor4D,
      tf.Tensor4D,
      tf.GradSaveFunc,
    ];
    const queries = folded(query, width);
    const keyRows: tf.Tensor3D = tf.reshape(key, [groups, keys, width]);
    const valueRows: tf.Tensor3D = tf.reshape(value, [groups, keys, width]);
    const scores = tf.reshape(tf.matMul(queries, keyRows, false, true), [
      streams,
      heads,
      length,
      keys,
    ]);
    const pattern = folded(tf.softmax(mask === undefined ? scores : tf.add(scores, mask)), keys);
    const z: tf.Tensor3D = tf.matMul(pattern, valueRows);
    save([queries, keyRows, valueRows, pattern, z]);
    return {
      value: tf.reshape(z, q.shape),
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
        const [qs, ks, vs, p, own] = saved as [
          tf.Tensor3D,
          tf.Tensor3D,
          tf.Tensor3D,
          tf.Tensor3D,
          tf.Tensor3D,
        ];
        const dz = folded(dy, width);
        const sums = tf.sum(tf.mul(dz, own), 2, true);
        const dScores: tf.Tensor3D = tf.mul(p, tf.sub(tf.matMul(dz, vs, false, true), sums));
        return [
          tf.reshape(tf.matMul(dScores, ks), q.shape),
          tf.reshape(transposedProduct(dScores, qs), k.shape),
          tf.reshape(transposedProduct(p, dz), v.shape),
        ];
      },
    };
  });
  return run(q, k, v) as tf.Tensor4D;
}

/** wide^T narrow, by transposing the narrow sides: backends are slow at transposing the wide one. */
function transposedProduct(wide: tf.Tensor3D, narrow: tf.Tensor3D): tf.Tensor3D {
  return tf.transpose(tf.matMul(narrow, wide, true, false), [0, 2, 1]);
}
