// Arranges the caches of several streams as columns of keys that all of them read together.
import * as tf from '@tensorflow/tfjs-core';
import { Chunk, type Segment } from './chunk.ts';

/** A chunk that S streams read: stream s reads row floor(s * rows / S). */
export interface KeyColumn {
  readonly chunk: Chunk;
  /** Streams per chunk row: 1, or more when forks share one row. */
  readonly share: number;
}

/** Per stream, the segments after arranging; `columns[j]` holds every stream's segment j. */
export interface KeyColumns {
  readonly columns: readonly KeyColumn[];
  readonly segments: readonly (readonly Segment[])[];
}

/**
 * Turns the streams' segment lists into columns. Chunks that all streams read in order are used as they
 * are; a chunk read in another order is gathered once; lists that do not line up are packed into one chunk.
 * New chunks are handed to `made`, so that the caller owns them until a cache does.
 */
export function arrangeColumns(
  lists: readonly (readonly Segment[])[],
  made: (chunk: Chunk) => void,
): KeyColumns {
  const first = lists[0] ?? [];
  const aligned = lists.every(
    (list) =>
      list.length === first.length && list.every((segment, j) => segment.chunk === first[j]?.chunk),
  );
  if (!aligned) return packed(lists, made);
  const columns = first.map((segment, j) => {
    const rows = lists.map((list) => (list[j] as Segment).row);
    const share = shareOf(rows, segment.chunk.rows);
    if (share !== undefined) return { chunk: segment.chunk, share };
    const chunk = gatherRows(segment.chunk, rows);
    made(chunk);
    return { chunk, share: 1 };
  });
  return {
    columns,
    segments: lists.map((_, s) =>
      columns.map(({ chunk, share }) => ({ chunk, row: Math.floor(s / share) })),
    ),
  };
}

/** Streams per row when they read rows 0, 1, ... in order and equally often; undefined otherwise. */
function shareOf(rows: readonly number[], chunkRows: number): number | undefined {
  const share = rows.length / chunkRows;
  if (!Number.isInteger(share)) return undefined;
  return rows.every((row, s) => row === Math.floor(s / share)) ? share : undefined;
}

function gatherRows(chunk: Chunk, rows: readonly number[]): Chunk {
  const [k, v] = tf.tidy(() => {
    const index = tf.tensor1d(rows as number[], 'int32');
    return [tf.keep(tf.gather(chunk.k, index)), tf.keep(tf.gather(chunk.v, index))];
  });
  return new Chunk(
    k as tf.Tensor4D,
    v as tf.Tensor4D,
    rows.map((row) => chunk.positions[row] as Int32Array),
  );
}

/** One chunk with every stream's real keys, padded on the right to the longest. */
function packed(lists: readonly (readonly Segment[])[], made: (chunk: Chunk) => void): KeyColumns {
  const any = lists.flat()[0];
  if (any === undefined) return { columns: [], segments: lists };
  const positions = lists.map((list) =>
    list.flatMap(({ chunk, row }) =>
      [...(chunk.positions[row] as Int32Array)].filter((p) => p >= 0),
    ),
  );
  const longest = Math.max(...positions.map((list) => list.length));
  const [k, v] = tf.tidy(() =>
    (['k', 'v'] as const).map((side) => {
      const rows = lists.map((list) => rowOf(list, side, longest, any.chunk[side].shape));
      return tf.keep(tf.concat(rows, 0));
    }),
  );
  const chunk = new Chunk(
    k as tf.Tensor4D,
    v as tf.Tensor4D,
    positions.map((list) => {
      const padded = new Int32Array(longest).fill(-1);
      padded.set(list);
      return padded;
    }),
  );
  made(chunk);
  return { columns: [{ chunk, share: 1 }], segments: lists.map((_, row) => [{ chunk, row }]) };
}

/** [1, kv, longest, e] of one stream. */
function rowOf(
  list: readonly Segment[],
  side: 'k' | 'v',
  longest: number,
  shape: readonly number[],
): tf.Tensor4D {
  const [, kvHeads, , width] = shape as [number, number, number, number];
  const parts = list.map(({ chunk, row }) => {
    const slots: number[] = [];
    (chunk.positions[row] as Int32Array).forEach((position, slot) => {
      if (position >= 0) slots.push(slot);
    });
    const one = tf.slice(chunk[side], [row, 0, 0, 0], [1, -1, -1, -1]);
    return slots.length === chunk.length ? one : tf.gather(one, tf.tensor1d(slots, 'int32'), 2);
  });
  const length = parts.reduce((sum, part) => sum + part.shape[2], 0);
  if (length < longest) parts.push(tf.zeros([1, kvHeads, longest - length, width]));
  return parts.length === 1 ? (parts[0] as tf.Tensor4D) : tf.concat(parts, 2);
}
