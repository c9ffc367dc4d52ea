// What the tokenizer made of a text, token by token: shown with every error that is about tokens.
import type { Transformer } from '@safeinfer/transformer';

export interface TokenLine {
  readonly position: number;
  readonly id: number;
  readonly text: string;
}

export function tokenTable(model: Transformer, ids: readonly number[]): TokenLine[] {
  return ids.map((id, position) => ({ position, id, text: model.tokenizer?.decode([id]) ?? '' }));
}

/** One line: `0:1"<s>" 1:450"The" ...` */
export function formatTokens(model: Transformer, ids: readonly number[]): string {
  return tokenTable(model, ids)
    .map(({ position, id, text }) => `${position}:${id}${JSON.stringify(text)}`)
    .join(' ');
}

/**
 * Text for comparing what went into a tokenizer with what comes out: SentencePiece and Unicode normalisers change
 * spaces and compatibility forms, which is no sign of a wrong token.
 */
export function comparable(text: string): string {
  return text.normalize('NFKC').replaceAll(/\s+/g, '');
}
