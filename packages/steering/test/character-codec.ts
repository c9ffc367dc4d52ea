// One token a character: a tokenizer for tests on random models, with nothing to download and nothing to hide.
import type { TextCodec } from '@safeinfer/transformer';

/** Ids 0 to 94 are the printable ASCII characters, 95 is the line break. */
export const characterCodec: TextCodec = {
  encode: (text) =>
    Array.from(text, (character) =>
      character === '\n' ? 95 : Math.min(94, Math.max(0, character.charCodeAt(0) - 32)),
    ),
  decode: (ids) => ids.map((id) => (id === 95 ? '\n' : String.fromCharCode(id + 32))).join(''),
};
