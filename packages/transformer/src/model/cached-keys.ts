// What a layer's attention reads: the keys and values of the rows' caches, and those of the pass.
import { hasFusedKernel } from '@safeinfer/backend';
import type * as tf from '@tensorflow/tfjs-core';
import { appendKeys, type NewKeys, segmentsOf } from '../cache/append-keys.ts';
import { arrangeColumns, type KeyColumn } from '../cache/key-columns.ts';
import { joinPositions, slotPositions } from './packing.ts';
import type { Pass } from './pass.ts';

/** A block of keys that the streams read together. */
export interface Keys {
  readonly k: tf.Tensor4D;
  readonly v: tf.Tensor4D;
  readonly positions: readonly Int32Array[];
  readonly share: number;
}

/** Cached keys as columns; undefined when no row has any cache. */
export function cachedColumns(pass: Pass, layer: number): readonly KeyColumn[] | undefined {
  const cached = pass.layout.streams.map(({ rows }) => pass.rows[rows[0] as number]?.cache);
  if (cached.every((cache) => cache === undefined)) return undefined;
  const lists = cached.map((cache) => cache?.segments(layer) ?? []);
  return arrangeColumns(lists, pass.hold).columns;
}

/** Cached and new keys as columns; notes what the rows' caches will hold when the pass succeeds. */
export function keyColumns(
  pass: Pass,
  layer: number,
  added: { readonly k: tf.Tensor4D; readonly v: tf.Tensor4D },
): Keys[] {
  const fresh = { ...added, positions: slotPositions(pass) };
  const old = cachedColumns(pass, layer);
  if (old === undefined) return [{ ...fresh, share: 1 }];
  if (pass.taped) return [...old.map(asKeys), { ...fresh, share: 1 }];
  const columns = appendFresh({ pass, layer, old, fresh });
  // Sums over keys depend on how the keys are cut: as a whole block cuts them, where there are such.
  if (hasFusedKernel('SafeInferBlock')) return [...old.map(asKeys), { ...fresh, share: 1 }];
  return columns.map(asKeys);
}

/** Adds the pass's keys to the columns; notes what the rows' caches will hold when the pass succeeds. */
export function appendFresh(options: {
  readonly pass: Pass;
  readonly layer: number;
  readonly old: readonly KeyColumn[];
  readonly fresh: NewKeys;
}): KeyColumn[] {
  const { pass, layer, old, fresh } = options;
  const { streams, streamOf } = pass.layout;
  const columns = appendKeys({ columns: old, added: fresh, joinPositions, made: pass.hold });
  const segments = segmentsOf(columns, streams.length);
  for (const row of pass.rows) {
    if (row.cache === undefined) continue;
    const layers = pass.updates.get(row.index) ?? [];
    pass.updates.set(row.index, layers);
    layers[layer] = segments[streamOf[row.index] as number] as (typeof segments)[number];
  }
  return columns;
}

/** Positions of each stream's keys in all columns. */
export function keyPositions(
  pass: Pass,
  columns: readonly Pick<Keys, 'positions' | 'share'>[],
): Int32Array[] {
  return pass.layout.streams.map((_, s) =>
    columns
      .map(({ positions, share }) => positions[Math.floor(s / share)] as Int32Array)
      .reduce(joinPositions),
  );
}

export function asKeys({ chunk, share }: KeyColumn): Keys {
  return { k: chunk.k, v: chunk.v, positions: chunk.positions, share };
}
