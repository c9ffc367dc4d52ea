// A session whose constants are the weights of several tensors.
import type { NativeSession } from '../native/binding.ts';

/** Ends with the last of its weights. */
export class SharedSession {
  readonly native: NativeSession;
  readonly #count: number;
  #alive: number;

  constructor(native: NativeSession, count: number) {
    this.native = native;
    this.#count = count;
    this.#alive = count;
  }

  /** True when a weight went its own way. */
  get broken(): boolean {
    return this.#alive < this.#count;
  }

  leave(): void {
    if (--this.#alive === 0) this.native.dispose();
  }
}
