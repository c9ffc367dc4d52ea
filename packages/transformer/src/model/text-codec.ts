// What the engine needs of a tokenizer.

export interface TextCodec {
  /** Token ids, special tokens as the tokenizer adds them unless told not to. */
  encode(text: string, options?: { readonly addSpecialTokens?: boolean }): readonly number[];
  decode(ids: readonly number[]): string;
  /** Text of a growing sequence; without it, generation gives tokens only. */
  createStreamDecoder?(): { push(id: number): string; flush(): string };
}
