// Which tokens play a role (BOS, EOS, ...), by the tokenizer files of a model.
import { isJsonObject, type JsonObject } from '../loading/read-json.ts';
import type { TokenizerFiles } from './tokenizer-files.ts';

/** Special tokens by role; a role that the files do not name is absent. */
export interface SpecialTokens<T> {
  readonly bos?: T;
  readonly eos?: T;
  readonly pad?: T;
  readonly unk?: T;
}

const roles = ['bos', 'eos', 'pad', 'unk'] as const;

/** The content of a token in tokenizer_config.json: a string, or an object that holds one. */
function tokenContent(value: unknown): string | undefined {
  const content = isJsonObject(value) ? value['content'] : value;
  return typeof content === 'string' && content !== '' ? content : undefined;
}

/**
 * Roles from `tokenizer_config.json` or `special_tokens_map.json`. Without either, BOS is what the
 * post-processor puts first and UNK what the model names; EOS stays unknown rather than guessed.
 */
export function readSpecialTokens({ config, tokenizer }: TokenizerFiles): SpecialTokens<string> {
  const { model } = tokenizer;
  const fallback: SpecialTokens<unknown> = {
    bos: leadingToken(tokenizer['post_processor']),
    unk: isJsonObject(model) ? model['unk_token'] : undefined,
  };
  // A file that states a role as null says that there is none.
  const named = Object.fromEntries(
    roles.map((role) => {
      const key = `${role}_token`;
      return [role, Object.hasOwn(config, key) ? config[key] : fallback[role]];
    }),
  ) as SpecialTokens<unknown>;
  return mapRoles(named, tokenContent);
}

/** Applies `map` to every role that is there, leaving out those it gives no value for. */
export function mapRoles<From, To>(
  tokens: SpecialTokens<From>,
  map: (token: From) => To | undefined,
): SpecialTokens<To> {
  const mapped: Partial<Record<(typeof roles)[number], To>> = {};
  for (const role of roles) {
    const token = tokens[role];
    const value = token === undefined ? undefined : map(token);
    if (value !== undefined) mapped[role] = value;
  }
  return mapped;
}

/** Contents of `additional_special_tokens` (transformers 4) and `extra_special_tokens` (5). */
export function additionalSpecialTokens(config: JsonObject): readonly string[] {
  const lists = [config['additional_special_tokens'], config['extra_special_tokens']];
  return lists
    .flatMap((list) => (isJsonObject(list) ? Object.values(list) : Array.isArray(list) ? list : []))
    .flatMap((token: unknown) => tokenContent(token) ?? []);
}

/** The token that a TemplateProcessing post-processor puts before the text. */
function leadingToken(processor: unknown): string | undefined {
  if (!isJsonObject(processor)) return undefined;
  const { type, processors, single } = processor;
  if (type === 'Sequence' && Array.isArray(processors)) {
    return processors.map(leadingToken).find((token) => token !== undefined);
  }
  const first: unknown = Array.isArray(single) ? single[0] : undefined;
  const special = isJsonObject(first) ? first['SpecialToken'] : undefined;
  return isJsonObject(special) ? tokenContent(special['id']) : undefined;
}
