// What the engine needs of a tokenizer.

export interface TextCodec {
  /** Token ids, special tokens as the tokenizer adds them unless told not to. */
  encode(text: string, options?: { readonly addSpecialTokens?: boolean }): readonly number[];
  decode(ids: readonly number[]): string;
}
