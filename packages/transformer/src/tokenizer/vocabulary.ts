// Ids and entries of a tokenizer: the model's vocabulary with the added tokens over it.
import { isJsonObject, type JsonObject } from '../loading/read-json.ts';
import { checkTokenizer } from './tokenizer-files.ts';

export interface Vocabulary {
  /** One more than the largest id. */
  readonly size: number;
  readonly entries: ReadonlyMap<number, string>;
  readonly ids: ReadonlyMap<string, number>;
  /** Ids of added tokens that the file marks as special. */
  readonly special: readonly number[];
}

/** Checks tokenizer.json and reads its vocabulary. Throws `BAD_TOKENIZER`. */
export function readVocabulary(tokenizer: JsonObject): Vocabulary {
  const added = checkTokenizer(tokenizer);
  const entries = new Map<number, string>();
  const ids = new Map<string, number>();
  let size = 0;
  const enter = (entry: string, id: number): void => {
    entries.set(id, entry);
    ids.set(entry, id);
    if (id >= size) size = id + 1;
  };
  const { model } = tokenizer;
  const vocab = isJsonObject(model) ? model['vocab'] : undefined;
  if (Array.isArray(vocab)) {
    // Unigram: [entry, score] pairs in the order of their ids; checked above.
    for (const [id, pair] of (vocab as readonly (readonly [string, number])[]).entries()) {
      enter(pair[0], id);
    }
  } else {
    for (const [entry, id] of Object.entries(vocab as Record<string, number>)) enter(entry, id);
  }
  for (const { id, content } of added) enter(content, id);
  return { size, entries, ids, special: added.filter((t) => t.special).map((t) => t.id) };
}
