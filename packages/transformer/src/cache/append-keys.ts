// Adds a pass's keys and values to what the streams already hold, merging small chunks as they grow.
import * as tf from '@tensorflow/tfjs-core';
import { Chunk, type Segment } from './chunk.ts';
import type { KeyColumn } from './key-columns.ts';

// A tail shorter than this is copied when a token joins it; longer chunks stay as they are. Few enough to
// copy cheaply, enough to keep the number of matmuls per layer small.
const TAIL = 32;

/** New keys and values of every stream: [S, kv, T, e] with their positions. */
export interface NewKeys {
  readonly k: tf.Tensor4D;
  readonly v: tf.Tensor4D;
  readonly positions: readonly Int32Array[];
}

/**
 * Columns with the new keys added. Short tails grow by copying; full ones merge with a predecessor of at
 * most their size, so that a token is copied O(log n) times in all and the number of columns stays O(log n).
 */
export function appendKeys(options: {
  readonly columns: readonly KeyColumn[];
  readonly added: NewKeys;
  /** Joins positions once for all layers of a pass. */
  readonly joinPositions: (a: Int32Array, b: Int32Array) => Int32Array;
  readonly made: (chunk: Chunk) => void;
}): KeyColumn[] {
  const { added, joinPositions, made } = options;
  const columns = [...options.columns];
  let { k, v, positions } = added;
  for (;;) {
    const last = columns.at(-1);
    if (last === undefined || last.share !== 1) break;
    const { chunk } = last;
    const full = k.shape[2] >= TAIL;
    const join = full ? chunk.length <= k.shape[2] : chunk.length < TAIL;
    if (!join) break;
    columns.pop();
    [k, v] = [tf.concat([chunk.k, k], 2), tf.concat([chunk.v, v], 2)];
    positions = positions.map((own, s) => joinPositions(chunk.positions[s] as Int32Array, own));
  }
  const kept = new Chunk(tf.keep(k), tf.keep(v), positions);
  made(kept);
  columns.push({ chunk: kept, share: 1 });
  return columns;
}

/** Each stream's segments in the given columns. */
export function segmentsOf(columns: readonly KeyColumn[], streams: number): Segment[][] {
  return Array.from({ length: streams }, (_, s) =>
    columns.map(({ chunk, share }) => ({ chunk, row: Math.floor(s / share) })),
  );
}
