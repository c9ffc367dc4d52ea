// The npm tokenizer, with what it does differently from the Rust library put right.
import { Tokenizer } from '@huggingface/tokenizers';
import { isJsonObject, type JsonObject } from '../loading/read-json.ts';
import { badTokenizer } from './tokenizer-files.ts';

/** What is used of the library; its own declarations do not resolve under Node's module rules. */
interface LibraryTokenizer {
  readonly pre_tokenizer: LibraryPreTokenizer | null;
  readonly decoder: { decode(entries: string[]): string } | null;
  encode(
    text: string,
    options: { readonly add_special_tokens: boolean },
  ): { readonly ids: readonly unknown[] };
}

interface LibraryPreTokenizer {
  readonly config?: unknown;
  readonly tokenizers?: readonly (LibraryPreTokenizer | null)[];
  pattern?: RegExp;
}

/** Encodes and, for rare decoders, decodes. Known differences from Rust: docs/loading-models.md. */
export interface PatchedTokenizer {
  /** Ids of a text; `unknown` because a broken vocabulary can make the library return holes. */
  encode(text: string, addSpecialTokens: boolean): readonly unknown[];
  decodeEntries(entries: readonly string[]): string;
}

/**
 * GPT-2's pattern with Unicode's white space. JavaScript's `\s` has U+FEFF and lacks U+0085, so the
 * library's own pattern splits texts with these two otherwise than the Rust library.
 */
const byteLevelPattern =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

/** Builds the npm tokenizer from a checked tokenizer.json. Throws `BAD_TOKENIZER`. */
export function createPatchedTokenizer(tokenizer: JsonObject): PatchedTokenizer {
  const added: readonly unknown[] = Array.isArray(tokenizer['added_tokens'])
    ? tokenizer['added_tokens']
    : [];
  const complete = {
    normalizer: null,
    pre_tokenizer: null,
    post_processor: null,
    decoder: null,
    ...tokenizer,
    added_tokens: added.map(withoutStripping),
  };
  const rewritten = {
    ...complete,
    pre_tokenizer: rewritePreTokenizer(complete.pre_tokenizer),
  };
  const library = guarded(() => {
    // The second argument imitates options of slow tokenizers, which tokenizer.json already contains.
    const created: LibraryTokenizer = new Tokenizer(rewritten, {});
    patchPatterns(created.pre_tokenizer);
    return created;
  });
  const strip = createStripper(added);
  return {
    encode: (text, addSpecialTokens) =>
      guarded(() => library.encode(strip(text), { add_special_tokens: addSpecialTokens }).ids),
    decodeEntries: (entries) =>
      guarded(() => library.decoder?.decode([...entries]) ?? entries.join(' ')),
  };
}

function guarded<T>(run: () => T): T {
  try {
    return run();
  } catch (cause) {
    throw badTokenizer(cause instanceof Error ? cause.message : String(cause), cause);
  }
}

/** Puts Unicode's classes where the library has JavaScript's or ASCII's. */
function patchPatterns(preTokenizer: LibraryPreTokenizer | null): void {
  if (preTokenizer === null) return;
  const { config, tokenizers = [] } = preTokenizer;
  if (isJsonObject(config) && config['type'] === 'ByteLevel') {
    preTokenizer.pattern = byteLevelPattern;
  }
  if (isJsonObject(config) && config['type'] === 'Digits') {
    preTokenizer.pattern =
      config['individual_digits'] === true ? /\P{N}+|\p{N}/gu : /\P{N}+|\p{N}+/gu;
  }
  tokenizers.forEach(patchPatterns);
}

/** Pre-tokenisers that the library reads otherwise than Rust, said in a way that both read alike. */
function rewritePreTokenizer(config: unknown): unknown {
  if (!isJsonObject(config)) return config;
  const { type, pretokenizers } = config;
  if (type === 'Sequence' && Array.isArray(pretokenizers)) {
    return { ...config, pretokenizers: pretokenizers.map(rewritePreTokenizer) };
  }
  if (type === 'Whitespace') {
    const pattern = { Regex: '\\w+|[^\\w\\s]+' };
    return { type: 'Split', pattern, behavior: 'Removed', invert: true };
  }
  if (type === 'Metaspace' && config['prepend_scheme'] === undefined) {
    // Files from before prepend_scheme.
    const scheme = config['add_prefix_space'] === false ? 'never' : 'always';
    return { ...config, prepend_scheme: scheme };
  }
  return config;
}

/** Tokens that are found before normalisation are stripped here; the library need not do it again. */
function stripsItself(token: unknown): token is JsonObject {
  return (
    isJsonObject(token) &&
    token['normalized'] === false &&
    (token['lstrip'] === true || token['rstrip'] === true)
  );
}

function withoutStripping(token: unknown): unknown {
  return stripsItself(token) ? { ...token, lstrip: false, rstrip: false } : token;
}

/**
 * Removes white space beside added tokens that ask for it, by Unicode's definition; the library
 * trims by JavaScript's. Tokens are matched leftmost, longest first, as both libraries do.
 */
function createStripper(added: readonly unknown[]): (text: string) => string {
  if (!added.some(stripsItself)) return (text) => text;
  const unnormalized = added.filter(isJsonObject).filter((token) => token['normalized'] === false);
  const rules = new Map(unnormalized.map((token) => [String(token['content']), token]));
  const alternatives = [...rules.keys()]
    .sort((a, b) => b.length - a.length)
    .map((content) => content.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  const pattern = new RegExp(alternatives.join('|'), 'g');
  return (text) => {
    let output = '';
    let end = 0;
    let trimNext = false;
    const between = (piece: string, trimBack: boolean): string => {
      const front = trimNext ? piece.replace(/^\p{White_Space}+/u, '') : piece;
      return trimBack ? trimEnd(front) : front;
    };
    for (const match of text.matchAll(pattern)) {
      const rule = rules.get(match[0]);
      output += between(text.slice(end, match.index), rule?.['lstrip'] === true) + match[0];
      trimNext = rule?.['rstrip'] === true;
      end = match.index + match[0].length;
    }
    return output + between(text.slice(end), false);
  };
}

/** Not a pattern: `\s+$` takes quadratic time on a long run of spaces inside a text. */
function trimEnd(text: string): string {
  let end = text.length;
  while (end > 0 && /\p{White_Space}/u.test(text.charAt(end - 1))) end -= 1;
  return text.slice(0, end);
}
