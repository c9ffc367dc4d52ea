// Text of one answer as it may be shown: what could be the beginning of a stop string is held back.
import type { TokenStream } from './token-stream.ts';

/** How much of `text` may be shown: everything but a tail that is the beginning of a stop string. */
function showable(text: string, stops: readonly string[]): number {
  let end = text.length;
  for (const stop of stops) {
    const most = Math.min(stop.length - 1, text.length);
    for (let length = most; length > 0; length--) {
      if (text.endsWith(stop.slice(0, length))) {
        end = Math.min(end, text.length - length);
        break;
      }
    }
  }
  return end;
}

/** Plain mutable state of a stream. */
export class IncrementalText {
  readonly #stream: TokenStream;
  readonly #stops: readonly string[];
  #held = '';
  #stopped = false;

  constructor(stream: TokenStream, stops: readonly string[]) {
    this.#stream = stream;
    this.#stops = stops;
  }

  /** True once a stop string has appeared; it and everything after it is never handed out. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** Adds a token and returns the text that is certain now (often empty or several tokens' worth). */
  push(token: number): string {
    this.#held += this.#stream.push(token);
    return this.#release(false);
  }

  /** The rest at the end of the answer. */
  finish(): string {
    if (this.#stopped) return '';
    this.#held += this.#stream.flush();
    return this.#release(true);
  }

  #release(all: boolean): string {
    let at = -1;
    for (const stop of this.#stops) {
      const found = this.#held.indexOf(stop);
      if (found >= 0 && (at < 0 || found < at)) at = found;
    }
    if (at >= 0) {
      this.#stopped = true;
      const text = this.#held.slice(0, at);
      this.#held = '';
      return text;
    }
    const end = all ? this.#held.length : showable(this.#held, this.#stops);
    const text = this.#held.slice(0, end);
    this.#held = this.#held.slice(end);
    return text;
  }
}
