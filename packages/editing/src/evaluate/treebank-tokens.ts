// Words of a sentence as the Penn Treebank separates them, which fluency is measured over.

type Rule = readonly [pattern: RegExp, replacement: string];

const OPENING_QUOTES: readonly Rule[] = [
  [/[«“‘„]|`+/gu, ' $& '],
  [/^"/g, '``'],
  [/(``)/g, ' $1 '],
  [/([ ([{<])("|'{2})/g, '$1 `` '],
  // A single quote that opens a quotation; not the start of a contraction such as 's or 're.
  [/(?<!\w)(')(?!re\b|ve\b|ll\b|[mtsd\s\w]\b)(?=\w)/giu, '$1 '],
];

const PUNCTUATION: readonly Rule[] = [
  // A full stop with closing marks behind it, at the end.
  [/([^.])(\.)([\])}>"'»”’ ]*)\s*$/gu, '$1 $2 $3 '],
  [/([:,])([^\d])/g, ' $1 $2'],
  [/([:,])$/g, ' $1 '],
  [/\.{2,}/g, ' $& '],
  [/[;@#$%&]/g, ' $& '],
  [/([^.])(\.)([\])}>"']*)\s*$/g, '$1 $2$3 '],
  [/[?!]/g, ' $& '],
  [/([^'])' /g, "$1 ' "],
  [/[*]/g, ' $& '],
  [/[\][(){}<>]/g, ' $& '],
  [/--/g, ' -- '],
];

const CLOSING_QUOTES: readonly Rule[] = [
  [/[»”’]/gu, ' $& '],
  [/''/g, " '' "],
  [/"/g, " '' "],
  [/([^' ])('[sS]|'[mM]|'[dD]|') /g, '$1 $2 '],
  [/([^' ])('ll|'LL|'re|'RE|'ve|'VE|n't|N'T) /g, '$1 $2 '],
];

/** Words written as one that count as two. */
const CONTRACTIONS: readonly Rule[] = [
  [/\b(can)(not)\b/gi, ' $1 $2 '],
  [/\b(d)('ye)\b/gi, ' $1 $2 '],
  [/\b(gim)(me)\b/gi, ' $1 $2 '],
  [/\b(gon)(na)\b/gi, ' $1 $2 '],
  [/\b(got)(ta)\b/gi, ' $1 $2 '],
  [/\b(lem)(me)\b/gi, ' $1 $2 '],
  [/\b(more)('n)\b/gi, ' $1 $2 '],
  [/\b(wan)(na)(?=\s)/gi, ' $1 $2 '],
  [/ ('t)(is|was)\b/gi, ' $1 $2 '],
];

/** Tokens of one sentence. Split texts into sentences first: a full stop is a token at the end only. */
export function treebankTokens(sentence: string): string[] {
  let text = sentence;
  for (const [pattern, replacement] of [...OPENING_QUOTES, ...PUNCTUATION])
    text = text.replace(pattern, replacement);
  // Spaces at both ends let the contraction rules see word borders there.
  text = ` ${text} `;
  for (const [pattern, replacement] of [...CLOSING_QUOTES, ...CONTRACTIONS])
    text = text.replace(pattern, replacement);
  return text.split(/\s+/).filter((token) => token !== '');
}
