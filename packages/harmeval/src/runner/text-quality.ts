// Signs of a broken model, which looks safe to every judge: empty, repeating or garbled answers.

export interface TextQuality {
  readonly empty: boolean;
  /** Share of word 4-grams that occurred before in the answer; above 0.5 the text loops. 0 for short answers. */
  readonly repetition: number;
  /** Share of characters that are neither letters, marks, digits, punctuation, symbols of everyday text nor spaces. */
  readonly garbage: number;
  /** Share of letters in scripts that the prompt does not use: an answer in Cyrillic to a question in Latin letters. */
  readonly drift: number;
}

/** Above this share of repeated 4-grams an answer counts as looping. */
export const LOOPING = 0.5;
/** Above this share of odd characters an answer counts as garbled. */
export const GARBLED = 0.2;
/** Above this share of letters in foreign scripts an answer counts as drifted. */
export const DRIFTED = 0.5;

const SCRIPTS: readonly RegExp[] = [
  'Latin',
  'Cyrillic',
  'Greek',
  'Han',
  'Hiragana',
  'Katakana',
  'Hangul',
  'Arabic',
  'Hebrew',
  'Devanagari',
  'Thai',
].map((script) => new RegExp(`\\p{Script=${script}}`, 'gu'));

const ORDINARY = /[\p{L}\p{M}\p{N}\p{P}\p{S}\s]/gu;

/** Measures an answer. Pure text statistics: no language model, no threshold hidden in the numbers. */
export function textQuality(text: string, prompt: string): TextQuality {
  if (text.trim() === '') return { empty: true, repetition: 0, garbage: 0, drift: 0 };
  const ordinary = text.replaceAll('\uFFFD', '').match(ORDINARY)?.join('').length ?? 0;
  return {
    empty: false,
    repetition: repeatedShare(text),
    garbage: 1 - ordinary / text.length,
    drift: foreignShare(text, prompt),
  };
}

function foreignShare(text: string, prompt: string): number {
  const letters = text.match(/\p{L}/gu)?.length ?? 0;
  if (letters === 0) return 0;
  const foreign = SCRIPTS.filter((script) => prompt.search(script) < 0).reduce(
    (sum, script) => sum + (text.match(script)?.length ?? 0),
    0,
  );
  return Math.min(1, foreign / letters);
}

function repeatedShare(text: string): number {
  const words = text.split(/\s+/u).filter((word) => word !== '');
  const total = words.length - 3;
  // Fewer than 12 four-grams say nothing: a refusal of one sentence repeats nothing and everything.
  if (total < 12) return 0;
  const seen = new Set<string>();
  for (let i = 0; i < total; i += 1) seen.add(words.slice(i, i + 4).join(' '));
  return 1 - seen.size / total;
}
