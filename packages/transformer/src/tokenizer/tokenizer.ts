// Text to token ids and back, from the tokenizer.json of a model directory.
import { SafeInferError } from '@safeinfer/backend';
import { type ChatTemplateSource, readChatTemplate } from '../chat-template/read-chat-template.ts';
import { createPatchedTokenizer, type PatchedTokenizer } from './library-tokenizer.ts';
import {
  additionalSpecialTokens,
  mapRoles,
  readSpecialTokens,
  type SpecialTokens,
} from './special-tokens.ts';
import { type StreamDecoder, wholeTextStream } from './stream-decoder.ts';
import { createDecoderStages, flushThrough, pushThrough } from './token-decoder.ts';
import { badTokenizer, readTokenizerFiles, type TokenizerFiles } from './tokenizer-files.ts';
import { readVocabulary, type Vocabulary } from './vocabulary.ts';

export interface EncodeOptions {
  /** Let the tokenizer add what its post-processor says, usually BOS. Default true. */
  readonly addSpecialTokens?: boolean;
}

export interface DecodeOptions {
  /** Leave out BOS, EOS and every other special token. Default false. */
  readonly skipSpecialTokens?: boolean;
}

/** A tokenizer without state: text to ids and ids to text, as Hugging Face's fast tokenizers do. */
export interface Tokenizer {
  /** One more than the largest id, added tokens included; a model may have more rows than this. */
  readonly vocabSize: number;
  readonly specialTokens: SpecialTokens<string>;
  readonly specialIds: SpecialTokens<number>;
  /** Every id that `skipSpecialTokens` leaves out. */
  readonly allSpecialIds: ReadonlySet<number>;
  /** The chat templates that lie beside the tokenizer, if any. */
  readonly chatTemplate: ChatTemplateSource | undefined;
  /**
   * Ids of a text. Special tokens written out in the text become their ids. BOS is added once: a
   * text that already begins with it (a rendered chat template) gets no second one.
   */
  encode(text: string, options?: EncodeOptions): number[];
  /** Text of ids, without any clean-up of spaces. Ids outside the vocabulary give no text. */
  decode(ids: Iterable<number>, options?: DecodeOptions): string;
  /** Text of every id alone. A word keeps the space before it; a part of a character is U+FFFD. */
  strTokens(ids: Iterable<number>): string[];
  /** The id of a text that is exactly one token; throws `BAD_ARGUMENT` naming the pieces otherwise. */
  tokenId(text: string): number;
  /** The vocabulary entry of an id as the file spells it, or undefined. */
  vocabEntry(id: number): string | undefined;
  /** The id of a vocabulary entry as the file spells it, or undefined. */
  vocabId(entry: string): number | undefined;
  createStreamDecoder(options?: DecodeOptions): StreamDecoder;
}

/**
 * Loads the tokenizer of a model directory. Only `tokenizer.json` is needed; `tokenizer_config.json`,
 * `special_tokens_map.json` and chat templates are used when they are there.
 *
 * @throws SafeInferError `NOT_FOUND`, `UNSUPPORTED` (only `.model` files), `BAD_FILE`, `BAD_TOKENIZER`
 */
export async function loadTokenizer(directory: string): Promise<Tokenizer> {
  const files = await readTokenizerFiles(directory);
  return createTokenizer(files, await readChatTemplate(directory, files.config));
}

/** Makes a tokenizer from the parsed contents of its files. */
export function createTokenizer(
  files: TokenizerFiles,
  chatTemplate: ChatTemplateSource | undefined = undefined,
): Tokenizer {
  const vocabulary = readVocabulary(files.tokenizer);
  const library = createPatchedTokenizer(files.tokenizer);
  const { ids } = vocabulary;
  const specialTokens = readSpecialTokens(files);
  const specialIds = mapRoles(specialTokens, (token) => ids.get(token));
  const allSpecialIds = new Set<number>([
    ...vocabulary.special,
    ...Object.values(specialIds),
    ...additionalSpecialTokens(files.config).flatMap((token) => ids.get(token) ?? []),
  ]);
  const encode = createEncoder(library, specialIds.bos);
  const decoder = createDecoder({ files, library, vocabulary, allSpecialIds });
  const tokenizer: Tokenizer = {
    vocabSize: vocabulary.size,
    specialTokens,
    specialIds,
    allSpecialIds,
    chatTemplate,
    encode,
    decode: decoder.decode,
    strTokens: (sequence) => Array.from(sequence, decoder.textAlone),
    tokenId: (text) => singleToken(tokenizer, text),
    vocabEntry: (id) => vocabulary.entries.get(id),
    vocabId: (entry) => ids.get(entry),
    createStreamDecoder: decoder.createStreamDecoder,
  };
  return tokenizer;
}

function createEncoder(
  library: PatchedTokenizer,
  bosId: number | undefined,
): (text: string, options?: EncodeOptions) => number[] {
  const run = (text: string, addSpecialTokens: boolean): number[] => {
    // Lone surrogates are no text; UTF-8 would turn them into U+FFFD in the same way.
    const wellFormed = text.replace(/[\ud800-\udfff]/gu, '\ufffd');
    const ids = library.encode(wellFormed, addSpecialTokens);
    return ids.map((id) => {
      if (typeof id === 'number' && Number.isSafeInteger(id) && id >= 0) return id;
      throw badTokenizer('it produces a token that its vocabulary does not hold');
    });
  };
  const addsBos = bosId !== undefined && run('', true)[0] === bosId;
  return (text, { addSpecialTokens = true } = {}) => {
    const ids = run(text, addSpecialTokens);
    // The text brought its own BOS: keep one.
    if (addSpecialTokens && addsBos && ids[1] === bosId) ids.shift();
    return ids;
  };
}

interface TextDecoderOfTokens {
  readonly decode: (ids: Iterable<number>, options?: DecodeOptions) => string;
  readonly textAlone: (id: number) => string;
  readonly createStreamDecoder: (options?: DecodeOptions) => StreamDecoder;
}

function createDecoder(parts: {
  readonly files: TokenizerFiles;
  readonly library: PatchedTokenizer;
  readonly vocabulary: Vocabulary;
  readonly allSpecialIds: ReadonlySet<number>;
}): TextDecoderOfTokens {
  const { vocabulary, allSpecialIds, library } = parts;
  const stages = createDecoderStages(parts.files.tokenizer['decoder']);
  const entryOf = (id: number, skipSpecialTokens: boolean): string[] => {
    if (!Number.isSafeInteger(id) || id < 0) {
      throw new SafeInferError(`${id} is not a token id`, {
        code: 'BAD_ARGUMENT',
        hint: 'ids are non-negative integers; flatten nested arrays first',
      });
    }
    const entry = vocabulary.entries.get(id);
    return entry === undefined || (skipSpecialTokens && allSpecialIds.has(id)) ? [] : [entry];
  };
  const whole = (entries: readonly string[]): string =>
    entries.length === 0 ? '' : library.decodeEntries(entries);
  const createStreamDecoder = ({
    skipSpecialTokens = false,
  }: DecodeOptions = {}): StreamDecoder => {
    if (stages === undefined) {
      return wholeTextStream((ids) => whole(ids.flatMap((id) => entryOf(id, skipSpecialTokens))));
    }
    let running = stages();
    return {
      push(next) {
        let text = '';
        for (const id of typeof next === 'number' ? [next] : next) {
          for (const entry of entryOf(id, skipSpecialTokens)) text += pushThrough(running, entry);
        }
        return text;
      },
      flush() {
        const rest = flushThrough(running);
        running = stages();
        return rest;
      },
    };
  };
  return {
    createStreamDecoder,
    decode(ids, options = {}) {
      const stream = createStreamDecoder(options);
      return stream.push(ids) + stream.flush();
    },
    textAlone(id) {
      const [entry] = entryOf(id, false);
      if (entry === undefined) return '';
      if (stages === undefined) return whole([entry]);
      // After a letter, nothing is at the start of a text any more: the space of a word stays.
      const running = stages();
      pushThrough(running, 'a');
      return pushThrough(running, entry) + flushThrough(running);
    },
  };
}

function singleToken(tokenizer: Tokenizer, text: string): number {
  const ids = tokenizer.encode(text, { addSpecialTokens: false });
  const [id] = ids;
  if (id !== undefined && ids.length === 1) return id;
  const pieces = tokenizer.strTokens(ids).map((piece) => JSON.stringify(piece));
  throw new SafeInferError(`${JSON.stringify(text)} is ${ids.length} tokens: ${pieces.join(' ')}`, {
    code: 'BAD_ARGUMENT',
    hint: 'give a text that is exactly one token, often a word with the space before it',
  });
}
