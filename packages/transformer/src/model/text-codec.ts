// What the engine needs of a tokenizer.

export interface TextCodec {
  /** Token ids, special tokens as the tokenizer adds them. */
  encode(text: string): readonly number[];
  decode(ids: readonly number[]): string;
}
