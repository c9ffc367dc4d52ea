// Events from a loop that pushes to a consumer that pulls.

/**
 * An async iterator with a queue. What is pushed waits until it is read; leaving the loop early calls `onLeave`.
 * One consumer.
 */
export class EventChannel<T> implements AsyncIterableIterator<T, undefined, undefined> {
  readonly #items: T[] = [];
  readonly #onLeave: () => void;
  #wake: (() => void) | undefined;
  #over = false;
  #error: unknown;
  #failed = false;

  constructor(onLeave: () => void) {
    this.#onLeave = onLeave;
  }

  push(items: readonly T[]): void {
    if (this.#over) return;
    this.#items.push(...items);
    this.#wake?.();
  }

  end(): void {
    this.#over = true;
    this.#wake?.();
  }

  /** What was pushed before is still read first. */
  fail(error: unknown): void {
    if (this.#over) return;
    this.#failed = true;
    this.#error = error;
    this.end();
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    while (this.#items.length === 0) {
      if (this.#over) {
        if (!this.#failed) return { done: true, value: undefined };
        this.#failed = false;
        throw this.#error;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return { done: false, value: this.#items.shift() as T };
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    this.#items.length = 0;
    this.#failed = false;
    if (!this.#over) {
      this.end();
      this.#onLeave();
    }
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
