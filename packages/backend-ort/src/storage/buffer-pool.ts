// Output arrays for reuse: a fresh large array costs a page fault every 4 KB, a pooled one nothing.

/** Arrays kept at most, in bytes: one block's activations at a few thousand tokens. */
const CAPACITY_BYTES = 128 * 2 ** 20;
/** Shorter arrays cost less to make than to look up. */
const SMALLEST = 256;

/** Float32Arrays by exact length. Values of a taken array are arbitrary. */
export class BufferPool {
  readonly #free = new Map<number, Float32Array[]>();
  #bytes = 0;

  take(length: number): Float32Array {
    const array = length < SMALLEST ? undefined : this.#free.get(length)?.pop();
    if (array === undefined) return new Float32Array(length);
    this.#bytes -= array.byteLength;
    return array;
  }

  give(array: Float32Array): void {
    const { length, byteLength } = array;
    if (length < SMALLEST || byteLength > CAPACITY_BYTES / 2) return;
    // Lengths change with the sequence, so old ones pile up: start afresh when the pool is full.
    if (this.#bytes + byteLength > CAPACITY_BYTES) this.clear();
    const list = this.#free.get(length);
    if (list === undefined) this.#free.set(length, [array]);
    else list.push(array);
    this.#bytes += byteLength;
  }

  clear(): void {
    this.#free.clear();
    this.#bytes = 0;
  }

  get bytes(): number {
    return this.#bytes;
  }
}
