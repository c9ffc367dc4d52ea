// Output arrays for reuse: a fresh large array costs a page fault every 4 KB, a pooled one nothing.

/** Arrays kept at most, in bytes: one block's activations at a few thousand tokens. */
const CAPACITY_BYTES = 128 * 2 ** 20;
/** Shorter arrays cost less to make than to look up. */
const SMALLEST = 256;
/** From this length on arrays have their exact size: a quarter of 4 MB is too much to leave unused. */
const EXACT_FROM = 2 ** 20;

/** Float32Arrays by capacity. Values of a taken array are arbitrary. */
export class BufferPool {
  readonly #free = new Map<number, Float32Array[]>();
  #bytes = 0;

  /** An array of `length`, possibly the head of a longer buffer. */
  take(length: number): Float32Array {
    if (length < SMALLEST) return new Float32Array(length);
    const capacity = capacityFor(length);
    let whole = this.#free.get(capacity)?.pop();
    if (whole === undefined) whole = new Float32Array(capacity);
    else this.#bytes -= whole.byteLength;
    return capacity === length ? whole : whole.subarray(0, length);
  }

  /** Takes back an array that `take` gave out and nobody reads any more. */
  give(array: Float32Array): void {
    if (array.length < SMALLEST) return;
    const whole =
      array.byteLength === array.buffer.byteLength ? array : new Float32Array(array.buffer);
    const { length, byteLength } = whole;
    if (byteLength > CAPACITY_BYTES / 2) return;
    // Lengths change with the sequence, so old ones pile up: start afresh when the pool is full.
    if (this.#bytes + byteLength > CAPACITY_BYTES) this.clear();
    const list = this.#free.get(length);
    if (list === undefined) this.#free.set(length, [whole]);
    else list.push(whole);
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

/** The length rounded up to a quarter of a power of two: a cache growing by one key finds its old arrays again. */
function capacityFor(length: number): number {
  if (length >= EXACT_FROM) return length;
  const step = 2 ** (Math.floor(Math.log2(length)) - 2);
  return Math.ceil(length / step) * step;
}
