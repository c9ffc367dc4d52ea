// A reference-counted block of keys and values of one layer, shared by the caches that point into it.
import type { Tensor4D } from '@tensorflow/tfjs-core';

/**
 * Rotated keys and values [R, kv, n, e]. `positions[r][i]` is the absolute position of slot i of row r,
 * -1 for padding. Disposed with its last reference.
 */
export class Chunk {
  readonly k: Tensor4D;
  readonly v: Tensor4D;
  readonly positions: readonly Int32Array[];
  #references = 0;

  constructor(k: Tensor4D, v: Tensor4D, positions: readonly Int32Array[]) {
    this.k = k;
    this.v = v;
    this.positions = positions;
  }

  get rows(): number {
    return this.k.shape[0];
  }

  /** Slots per row, padding included. */
  get length(): number {
    return this.k.shape[2];
  }

  retain(): void {
    this.#references++;
  }

  release(): void {
    if (--this.#references > 0) return;
    this.k.dispose();
    this.v.dispose();
  }
}

/** One row's place in a chunk. */
export interface Segment {
  readonly chunk: Chunk;
  readonly row: number;
}
