// Turns a growing list of token ids into text deltas, holding back half characters and what may become a stop string.
import type { TextCodec } from '@safeinfer/transformer';

/** A tokenizer decodes an unfinished UTF-8 character as this mark. */
const UNFINISHED = '\uFFFD';

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

/** Text of one row. Owns no tensors; plain mutable state of a stream. */
export class IncrementalText {
  readonly #codec: TextCodec;
  readonly #stops: readonly string[];
  readonly #tokens: number[] = [];
  /** Decoding restarts here: far enough back that the tokenizer's spacing is settled, near enough to be cheap. */
  #window = 0;
  #windowText = '';
  /** Finished text that has not been handed out. */
  #held = '';
  #stopped = false;

  constructor(codec: TextCodec, stops: readonly string[]) {
    this.#codec = codec;
    this.#stops = stops;
  }

  /** True once a stop string has appeared; it and everything after it is never handed out. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** Adds a token and returns the text that is certain now (often empty or several tokens' worth). */
  push(token: number): string {
    this.#tokens.push(token);
    const text = this.#codec.decode(this.#tokens.slice(this.#window));
    if (text.endsWith(UNFINISHED)) return '';
    this.#take(text);
    return this.#release(false);
  }

  /** The rest at the end of the row, half characters as the tokenizer shows them. */
  finish(): string {
    if (this.#stopped) return '';
    this.#take(this.#codec.decode(this.#tokens.slice(this.#window)));
    return this.#release(true);
  }

  #take(text: string): void {
    this.#held += text.slice(this.#windowText.length);
    // The last token stays in the window: the next one's text may depend on having a predecessor.
    this.#window = Math.max(0, this.#tokens.length - 1);
    this.#windowText = this.#codec.decode(this.#tokens.slice(this.#window));
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
