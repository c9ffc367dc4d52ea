// The tokenizer files of a model directory: read with limits, checked before a library sees them.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { SafeInferError } from '@safeinfer/backend';
import { isJsonObject, type JsonObject, readJsonFile } from '../loading/read-json.ts';

/** Gemma 3 has the largest common file, 33 MB. */
const maxTokenizerBytes = 128 * 1024 * 1024;
/** Qwen 3's, with its template, has 10 kB; files that list every added token reach 1 MB. */
const maxConfigBytes = 16 * 1024 * 1024;
/** Ids index arrays: an entry with a huge id would cost memory without any token behind it. */
const maxTokenId = 16_777_216;
/** A pattern is compiled and run on user text; no real one exceeds 2,000 characters. */
const maxPatternLength = 10_000;

/** Files from before 2021 have no type; the library then tells the models apart by their fields. */
const modelTypes: ReadonlySet<unknown> = new Set(['BPE', 'Unigram', 'WordPiece', 'WordLevel']);

/** Contents of tokenizer.json and tokenizer_config.json (empty when there is none). */
export interface TokenizerFiles {
  readonly tokenizer: JsonObject;
  readonly config: JsonObject;
}

/** A token of `added_tokens`, with the fields that this package reads. */
export interface AddedTokenEntry {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
}

/** The refusal of a tokenizer that cannot be used as it is. */
export function badTokenizer(reason: string, cause?: unknown): SafeInferError {
  return new SafeInferError(`tokenizer.json cannot be used: ${reason}`, {
    code: 'BAD_TOKENIZER',
    hint: 'save it again with AutoTokenizer.from_pretrained(dir).save_pretrained(dir) of transformers',
    cause,
  });
}

/**
 * Reads `tokenizer.json` and, if there, `tokenizer_config.json` and `special_tokens_map.json`.
 *
 * @throws SafeInferError `NOT_FOUND`, `UNSUPPORTED` (only a SentencePiece or slow tokenizer),
 *   `BAD_FILE`, `BAD_TOKENIZER`
 */
export async function readTokenizerFiles(directory: string): Promise<TokenizerFiles> {
  const tokenizer = await readJsonFile(join(directory, 'tokenizer.json'), {
    maxBytes: maxTokenizerBytes,
  });
  if (tokenizer === undefined) throw await noTokenizer(directory);
  const limits = { maxBytes: maxConfigBytes };
  const config = await readJsonFile(join(directory, 'tokenizer_config.json'), limits);
  const map = await readJsonFile(join(directory, 'special_tokens_map.json'), limits);
  return { tokenizer, config: { ...map, ...config } };
}

async function noTokenizer(directory: string): Promise<SafeInferError> {
  const names = await readdir(directory).catch(() => [] as string[]);
  const slow = names.find(
    (name) => /\.model(\.v\d+)?$/.test(name) || name === 'vocab.json' || name === 'tekken.json',
  );
  if (slow === undefined) {
    return new SafeInferError(`${directory} holds no tokenizer.json`, {
      code: 'NOT_FOUND',
      hint: 'copy tokenizer.json (and tokenizer_config.json) from the model on the Hub',
    });
  }
  return new SafeInferError(`${directory} holds ${slow} but no tokenizer.json`, {
    code: 'UNSUPPORTED',
    hint:
      'convert it once in Python: AutoTokenizer.from_pretrained(dir).save_pretrained(dir) ' +
      'writes tokenizer.json',
  });
}

/** Checks the parts of tokenizer.json that index memory or run on text; gives the added tokens. */
export function checkTokenizer(tokenizer: JsonObject): readonly AddedTokenEntry[] {
  const { model } = tokenizer;
  if (!isJsonObject(model)) throw badTokenizer("it has no object 'model'");
  const { vocab, type } = model;
  if (type !== undefined && !modelTypes.has(type)) {
    throw badTokenizer(`its model type ${shown(type)} is unknown`);
  }
  if (isJsonObject(vocab)) {
    for (const [token, id] of Object.entries(vocab)) checkId(id, token);
  } else if (Array.isArray(vocab)) {
    if (vocab.length > maxTokenId) throw badTokenizer(`it has ${vocab.length} entries`);
    checkUnigram(vocab, model['unk_id']);
  } else {
    throw badTokenizer("its model has no 'vocab'");
  }
  if (model['merges'] !== undefined) checkMerges(model['merges']);
  checkPatterns(tokenizer);
  return readAddedTokens(tokenizer['added_tokens']);
}

/** A value as it can stand in a message. */
function shown(value: unknown): string {
  return (JSON.stringify(value) ?? String(value)).slice(0, 80);
}

function checkId(id: unknown, token: string): asserts id is number {
  if (typeof id === 'number' && Number.isSafeInteger(id) && id >= 0 && id < maxTokenId) return;
  throw badTokenizer(`the id of ${shown(token)} is ${shown(id)}`);
}

function checkUnigram(vocab: readonly unknown[], unkId: unknown): void {
  const isIndex = typeof unkId === 'number' && Object.hasOwn(vocab, unkId);
  if (unkId !== undefined && unkId !== null && !isIndex) {
    throw badTokenizer(`'unk_id' is ${shown(unkId)}`);
  }
  for (const entry of vocab) {
    const [token, score] = Array.isArray(entry) ? (entry as unknown[]) : [];
    if (typeof token !== 'string' || typeof score !== 'number') {
      throw badTokenizer('its Unigram vocabulary must hold [token, score] pairs');
    }
  }
}

function checkMerges(merges: unknown): void {
  if (!Array.isArray(merges)) throw badTokenizer("'merges' is not an array");
  const pairs = typeof merges[0] !== 'string';
  for (const merge of merges as unknown[]) {
    const valid = pairs
      ? Array.isArray(merge) &&
        merge.length === 2 &&
        merge.every((part) => typeof part === 'string' && part !== '')
      : typeof merge === 'string' && /^[^ ]+ [^ ]+$/.test(merge);
    if (!valid) throw badTokenizer(`a merge is ${shown(merge)}`);
  }
}

/** Every `pattern` of a normaliser, pre-tokeniser or decoder, wherever it is nested. */
function checkPatterns(tokenizer: JsonObject): void {
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(visit);
    else if (isJsonObject(value)) {
      if (Object.hasOwn(value, 'pattern')) checkPattern(value['pattern']);
      Object.values(value).forEach(visit);
    } else if (typeof value === 'string' && value.length > maxPatternLength) {
      throw badTokenizer(`a pattern has ${value.length} characters`);
    }
  };
  const { normalizer, pre_tokenizer: preTokenizer, decoder } = tokenizer;
  for (const part of [withoutCharsmap(normalizer), preTokenizer, decoder]) visit(part);
}

/** The library would take a pattern of another form for none at all, with a warning. */
function checkPattern(pattern: unknown): void {
  const forms = isJsonObject(pattern) ? [pattern['String'], pattern['Regex']] : [];
  if (forms.filter((form) => typeof form === 'string').length !== 1) {
    throw badTokenizer(`a pattern is ${shown(pattern)}`);
  }
}

/** SentencePiece's precompiled table is data, not a pattern, and is long. */
function withoutCharsmap(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutCharsmap);
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== 'precompiled_charsmap')
      .map(([key, part]) => [key, withoutCharsmap(part)]),
  );
}

function readAddedTokens(list: unknown): readonly AddedTokenEntry[] {
  if (list === undefined || list === null) return [];
  if (!Array.isArray(list)) throw badTokenizer("'added_tokens' is not an array");
  return (list as unknown[]).map((entry) => {
    if (!isJsonObject(entry)) throw badTokenizer('an added token is not an object');
    const { id, content, special } = entry;
    if (typeof content !== 'string' || content === '') {
      throw badTokenizer('an added token has no content');
    }
    checkId(id, content);
    return { id, content, special: special === true };
  });
}
