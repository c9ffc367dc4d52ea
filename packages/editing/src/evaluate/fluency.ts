// Whether generated text still reads like text: n-gram entropy (fluency) and likeness to references (consistency).
import { treebankTokens } from './treebank-tokens.ts';

/** Shannon entropy in bits of the n-grams of tokens. */
export function ngramEntropy(tokens: readonly string[], n: number): number {
  const counts = new Map<string, number>();
  const total = Math.max(0, tokens.length - n + 1);
  for (let i = 0; i < total; i += 1) {
    const gram = JSON.stringify(tokens.slice(i, i + n));
    counts.set(gram, (counts.get(gram) ?? 0) + 1);
  }
  let entropy = 0;
  for (const count of counts.values()) entropy += (count / total) * Math.log2(total / count);
  return entropy;
}

/**
 * CounterFact's generation entropy of one text: mean of 2/3 of the bigrams' and 4/3 of the trigrams' entropy
 * (kmeng01/rome eval_utils_counterfact). Low values mean repetition.
 */
export function fluencyEntropy(text: string): number {
  const tokens = sentences(text).flatMap(treebankTokens);
  return ((2 / 3) * ngramEntropy(tokens, 2) + (4 / 3) * ngramEntropy(tokens, 3)) / 2;
}

const segmenter = new Intl.Segmenter('en', { granularity: 'sentence' });

function sentences(text: string): string[] {
  return [...segmenter.segment(text)].map(({ segment }) => segment.trim());
}

export interface TfIdf {
  readonly idf: ReadonlyMap<string, number>;
}

/** Words as scikit-learn's TfidfVectorizer takes them: lower case, two or more word characters. */
function words(text: string): string[] {
  return text.toLowerCase().match(/(?<![\p{L}\p{N}_])[\p{L}\p{N}_]{2,}/gu) ?? [];
}

/** Smoothed inverse document frequencies: ln((1 + documents) / (1 + documents with the word)) + 1. */
export function fitTfIdf(documents: readonly string[]): TfIdf {
  const counts = new Map<string, number>();
  for (const document of documents)
    for (const word of new Set(words(document))) counts.set(word, (counts.get(word) ?? 0) + 1);
  const idf = new Map(
    [...counts].map(([word, n]) => [word, Math.log((1 + documents.length) / (1 + n)) + 1]),
  );
  return { idf };
}

/** Cosine of the TF-IDF vectors of two texts; 0 when one has no known word (CounterFact's reference score). */
export function tfIdfCosine({ idf }: TfIdf, a: string, b: string): number {
  const [x, y] = [a, b].map((text) => {
    const vector = new Map<string, number>();
    for (const word of words(text)) {
      const weight = idf.get(word);
      if (weight !== undefined) vector.set(word, (vector.get(word) ?? 0) + weight);
    }
    return vector;
  }) as [Map<string, number>, Map<string, number>];
  const length = (v: Map<string, number>): number =>
    Math.sqrt([...v.values()].reduce((sum, value) => sum + value * value, 0));
  const scale = length(x) * length(y);
  if (scale === 0) return 0;
  let product = 0;
  for (const [word, value] of x) product += value * (y.get(word) ?? 0);
  return product / scale;
}
