// Token ids to text as they come, from any tokenizer: its own stream decoder, or one made from `decode`.
import type { TextCodec } from '@safeinfer/transformer';

export interface TokenStream {
  /** Text that this token makes certain; '' while a character is unfinished. */
  push(token: number): string;
  /** The rest: half characters as the tokenizer shows them. */
  flush(): string;
}

/** Tokenizers of @safeinfer/transformer can leave special tokens out; the codec's type asks for less. */
type CreateStream = (options: { readonly skipSpecialTokens: boolean }) => TokenStream;

/** A tokenizer decodes an unfinished UTF-8 character as this mark. */
const UNFINISHED = '\uFFFD';

/** Decodes a short window again at every token: the last settled token and what came after it. */
function windowed(codec: TextCodec): TokenStream {
  let window: number[] = [];
  let given = '';
  const settle = (text: string): string => {
    const fresh = text.slice(given.length);
    window = window.slice(-1);
    given = codec.decode(window);
    return fresh;
  };
  return {
    push(token) {
      window.push(token);
      const text = codec.decode(window);
      return text.endsWith(UNFINISHED) ? '' : settle(text);
    },
    flush: () => settle(codec.decode(window)),
  };
}

/** Special tokens have no text where the tokenizer knows them. */
export function tokenStream(codec: TextCodec): TokenStream {
  const create = codec.createStreamDecoder as CreateStream | undefined;
  return create === undefined ? windowed(codec) : create.call(codec, { skipSpecialTokens: true });
}
