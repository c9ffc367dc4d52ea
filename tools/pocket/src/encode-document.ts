// Documents as token ids with loss weights, and the compact file format that trainers read.
import type { Tokenizer } from '@huggingface/tokenizers';
import type { Document } from './document.ts';

/** The high bit of a token's flag byte marks a fact's subject; the low bits are the loss weight in percent. */
export const SUBJECT_FLAG = 0x80;

export interface EncodedDocument {
  readonly ids: number[];
  readonly flags: number[];
}

/** Encodes piece by piece with a cache: pieces repeat, whole documents do not. */
export function createEncoder(tokenizer: Tokenizer): (document: Document) => EncodedDocument {
  const cache = new Map<string, number[]>();
  const encodePiece = (text: string): number[] => {
    const known = cache.get(text);
    if (known !== undefined) return known;
    const ids = tokenizer.encode(text, { add_special_tokens: false }).ids;
    cache.set(text, ids);
    return ids;
  };
  return (document) => {
    const ids: number[] = [];
    const flags: number[] = [];
    for (const piece of document) {
      const flag = Math.round(piece.weight * 100) | (piece.subject === true ? SUBJECT_FLAG : 0);
      for (const id of encodePiece(piece.text)) {
        ids.push(id);
        flags.push(flag);
      }
    }
    return { ids, flags };
  };
}
