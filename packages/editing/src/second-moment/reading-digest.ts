// What a collection has read, as one hash that a resumed run can make again: from other texts it comes out different.
import { createHash } from 'node:crypto';

/** Grows with every text, in order. */
export class ReadingDigest {
  #value: string;

  /** @param source what besides the texts decides about the sums: the model's identity, the length texts are cut to */
  constructor(source: readonly (string | number)[]) {
    this.#value = digest(JSON.stringify(source));
  }

  add(text: string | readonly number[]): void {
    const kind = typeof text === 'string' ? 's' : 'i';
    this.#value = digest(`${this.#value}${kind}${typeof text === 'string' ? text : text.join()}`);
  }

  get value(): string {
    return this.#value;
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
