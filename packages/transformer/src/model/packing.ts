// Between token-wise tensors [N, heads, e] and the padded form [S, heads, T, e] that attention batches over.
import * as tf from '@tensorflow/tfjs-core';
import { identityOf } from '../hooks/plan.ts';
import { attentionMask } from '../ops/mask.ts';
import { packedPositions, packIndex, unpackIndex } from './layout.ts';
import type { Pass } from './pass.ts';

/** [N, heads, e] -> [S, heads, T, e]. */
export function pack(pass: Pass, x: tf.Tensor3D): tf.Tensor4D {
  const { streams, longest, uniform } = pass.layout;
  const [, heads, width] = x.shape;
  if (longest === 1) return tf.reshape(x, [streams.length, heads, 1, width]);
  let padded: tf.Tensor = x;
  if (!uniform) {
    const index = pass.memo('pack', () => tf.tensor1d(packIndex(pass.layout, pass.side), 'int32'));
    padded = tf.gather(x, index);
  }
  return tf.transpose(tf.reshape(padded, [streams.length, longest, heads, width]), [0, 2, 1, 3]);
}

/** [S, heads, T, e] -> [N, heads, e]. */
export function unpack(pass: Pass, x: tf.Tensor4D): tf.Tensor3D {
  const { streams, longest, uniform } = pass.layout;
  const [, heads, , width] = x.shape;
  if (longest === 1) return tf.reshape(x, [streams.length, heads, width]);
  const rows: tf.Tensor3D = tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [
    streams.length * longest,
    heads,
    width,
  ]);
  if (uniform) return rows;
  const index = pass.memo('unpack', () =>
    tf.tensor1d(unpackIndex(pass.layout, pass.side), 'int32'),
  );
  return tf.gather(rows, index);
}

const positionLists = new WeakMap<object, readonly Int32Array[]>();

/** Positions of each stream's packed slots; the same arrays for every layer of a pass. */
export function slotPositions(pass: Pass): readonly Int32Array[] {
  let positions = positionLists.get(pass.layout);
  if (positions === undefined) {
    positions = shareEqual(packedPositions(pass.layout, pass.side));
    positionLists.set(pass.layout, positions);
  }
  return positions;
}

const joined = new WeakMap<Int32Array, WeakMap<Int32Array, Int32Array>>();

/** Two position lists in one, made once for all layers. */
export function joinPositions(a: Int32Array, b: Int32Array): Int32Array {
  let byFirst = joined.get(a);
  if (byFirst === undefined) {
    byFirst = new WeakMap();
    joined.set(a, byFirst);
  }
  let both = byFirst.get(b);
  if (both === undefined) {
    both = new Int32Array(a.length + b.length);
    both.set(a);
    both.set(b, a.length);
    byFirst.set(b, both);
  }
  return both;
}

/** The additive mask of a layer for keys at `keys`, or undefined when all are visible. [S or 1, 1, T, K]. */
export function maskFor(
  pass: Pass,
  keys: readonly Int32Array[],
  layer: number,
): tf.Tensor4D | undefined {
  const window = pass.config.layers[layer]?.window ?? null;
  const visible = pass.visibleAt(layer);
  const queries = slotPositions(pass);
  // Streams at equal positions share one mask.
  const alike =
    visible === undefined && keys.every((own, s) => own === keys[0] && queries[s] === queries[0]);
  const some = alike ? keys.slice(0, 1) : keys;
  const key = `mask${window}${visible === undefined ? '' : 'hidden'}:${some.map(identityOf).join()}`;
  return pass.memo<tf.Tensor4D | undefined>(key, () => {
    const own = queries.slice(0, some.length);
    const mask = attentionMask({ queries: own, keys: some, window, visible });
    return mask && tf.tensor4d(mask, [own.length, 1, own[0]?.length ?? 0, some[0]?.length ?? 0]);
  });
}

/** Equal lists become one object, so that identity tells equality. */
function shareEqual(lists: Int32Array[]): Int32Array[] {
  const known = new Map<string, Int32Array>();
  return lists.map((list) => {
    const text = `${list.length}:${list[0]}:${list.at(-1)}`;
    const same = known.get(text);
    // Packed positions are runs: length and ends tell them apart.
    if (same?.every((position, i) => position === list[i])) return same;
    known.set(text, list);
    return list;
  });
}
