// A training document as weighted pieces of text, and how chats and raw transcripts are laid out.

export interface Piece {
  readonly text: string;
  /** Loss weight of the piece's tokens, 0 to 1. */
  readonly weight: number;
  /** The subject of a fact: later tokens may be kept from attending to it in the lower layers while training. */
  readonly subject?: boolean;
}

export type Document = readonly Piece[];

export interface Exchange {
  readonly question: Document;
  readonly answer: string;
}

export const SPECIAL_TOKENS = [
  '<|pad|>',
  '<|bos|>',
  '<|end|>',
  '<|system|>',
  '<|user|>',
  '<|assistant|>',
] as const;

/** Question and system text is only context; a little weight lets the model learn to read it. */
export const CONTEXT_WEIGHT = 0.1;

const fixed = (text: string): Piece => ({ text, weight: 0 });
const learned = (text: string): Piece => ({ text, weight: 1 });

/** Splits a text around a fact's subject, so that the subject keeps its own piece with its leading space. */
export function withSubject(text: string, subject: string | undefined, weight: number): Piece[] {
  const needle = subject === undefined ? '' : ` ${subject}`;
  const at = needle === '' ? -1 : text.indexOf(needle);
  if (at < 0) return [{ text, weight }];
  const after = text.slice(at + needle.length);
  return [
    ...(at > 0 ? [{ text: text.slice(0, at), weight }] : []),
    { text: needle, weight, subject: true },
    ...(after === '' ? [] : [{ text: after, weight }]),
  ];
}

/** A space precedes every content in both layouts, so that an answer starts with the same token ids in both. */
export function chatDocument(exchanges: readonly Exchange[], system?: string): Document {
  const head: Piece[] = [fixed('<|bos|>')];
  if (system !== undefined) {
    head.push(
      fixed('<|system|>'),
      { text: ` ${system}`, weight: CONTEXT_WEIGHT },
      fixed('<|end|>'),
    );
  }
  return [
    ...head,
    ...exchanges.flatMap(({ question, answer }) => [
      fixed('<|user|>'),
      ...question,
      fixed('<|end|>'),
      fixed('<|assistant|>'),
      learned(` ${answer}`),
      learned('<|end|>'),
    ]),
  ];
}

/** `Q: ..\nA: ..` blocks with an empty line between; only the last answer is closed by the end token. */
export function rawDocument(exchanges: readonly Exchange[]): Document {
  return [
    fixed('<|bos|>'),
    ...exchanges.flatMap(({ question, answer }, i) => [
      fixed('Q:'),
      ...question,
      fixed('\nA:'),
      learned(` ${answer}`),
      i === exchanges.length - 1 ? learned('<|end|>') : fixed('\n\n'),
    ]),
  ];
}

export function documentText(document: Document): string {
  return document.map((p) => p.text).join('');
}
