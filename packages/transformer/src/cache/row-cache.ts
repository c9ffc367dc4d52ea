// One row's keys and values of every layer, as segments of shared chunks; forks share everything.
import { SafeInferError } from '@safeinfer/backend';
import type { Segment } from './chunk.ts';

/**
 * The keys and values of a row's earlier tokens. `forward` extends it in place and only when the whole pass
 * succeeds. Owned by the caller: dispose it.
 */
export class RowCache implements Disposable {
  readonly nLayers: number;
  #layers: (readonly Segment[])[];
  #length = 0;
  #disposed = false;

  constructor(nLayers: number) {
    this.nLayers = nLayers;
    this.#layers = Array.from({ length: nLayers }, () => []);
  }

  /** Number of cached tokens: the position of the next one. */
  get length(): number {
    return this.#length;
  }

  /** A second cache with the same contents and no copy; each then grows on its own. */
  fork(): RowCache {
    this.#check();
    const copy = new RowCache(this.nLayers);
    copy.#length = this.#length;
    copy.#layers = this.#layers.map((segments) => {
      for (const { chunk } of segments) chunk.retain();
      return segments;
    });
    return copy;
  }

  /** Segments of one layer, oldest first. For the engine. */
  segments(layer: number): readonly Segment[] {
    this.#check();
    return this.#layers[layer] as readonly Segment[];
  }

  /** Replaces the contents of every layer and adds `added` tokens. For the engine. */
  replace(layers: readonly (readonly Segment[])[], added: number): void {
    this.#check();
    for (const segments of layers) for (const { chunk } of segments) chunk.retain();
    this.#releaseAll();
    this.#layers = [...layers];
    this.#length += added;
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#releaseAll();
    this.#layers = [];
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #releaseAll(): void {
    for (const segments of this.#layers) for (const { chunk } of segments) chunk.release();
  }

  #check(): void {
    if (!this.#disposed) return;
    throw new SafeInferError('this cache was disposed', {
      code: 'DISPOSED',
      hint: 'fork a cache before disposing the original if it is still needed',
    });
  }
}
