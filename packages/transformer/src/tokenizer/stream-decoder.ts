// Text of a growing sequence of tokens, given out as soon as it cannot change any more.

/**
 * Turns tokens into text while they are generated. What is given out never changes: an incomplete
 * UTF-8 sequence or run of byte tokens is held back. All texts of `push`, then `flush`, joined, are
 * exactly `decode` of all ids.
 */
export interface StreamDecoder {
  /** The text that these tokens add; often one word, sometimes ''. */
  push(ids: number | Iterable<number>): string;
  /** Ends the text: gives what was held back (U+FFFD for bytes that never became a character). */
  flush(): string;
}

/**
 * A stream decoder over a decoder that only knows whole sequences: gives out the part of the text
 * that is already followed by more text and is not a broken character.
 */
export function wholeTextStream(decode: (ids: readonly number[]) => string): StreamDecoder {
  const ids: number[] = [];
  let given = '';
  return {
    push(next) {
      for (const id of typeof next === 'number' ? [next] : next) ids.push(id);
      const text = decode(ids);
      if (!text.startsWith(given) || text.endsWith('\ufffd')) return '';
      // The last character may still join with what follows (stripped spaces, detached suffixes).
      const settled = text.slice(given.length, -1);
      given += settled;
      return settled;
    },
    flush() {
      const text = decode(ids);
      const rest = text.startsWith(given) ? text.slice(given.length) : '';
      ids.length = 0;
      given = '';
      return rest;
    },
  };
}
