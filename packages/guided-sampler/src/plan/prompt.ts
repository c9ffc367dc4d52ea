// Prompts as callers give them, and the framing of a prompt that a term may ask for.
import { SafeInferError } from '@safeinfer/backend';
import {
  renderChat,
  type TextCodec,
  type Tokenizer,
  type Transformer,
} from '@safeinfer/transformer';

export interface ChatMessage {
  readonly role: string;
  readonly content: string;
}

/** Token ids, text, or chat messages (which need a tokenizer with a chat template). */
export type Prompt = string | readonly number[] | readonly ChatMessage[];

/** One prompt for every term, or one for each term by id. */
export type PromptInput = Prompt | { readonly [termId: string]: Prompt };

/** How a term reframes the prompt. */
export type PromptRule =
  /**
   * Tokens or text before the prompt, after its beginning-of-text token if it has one. Text before text is encoded as
   * one; before tokens it can only be encoded alone.
   */
  | { readonly prefix: readonly number[] | string }
  /** The chat's system message for this term; the prompt must be chat messages. */
  | { readonly system: string }
  | ((prompt: Prompt) => Prompt);

function bad(message: string, hint: string): SafeInferError {
  return new SafeInferError(message, { code: 'BAD_ARGUMENT', hint });
}

/** True for a list of messages (an empty list counts as tokens and is refused later). */
export function isChat(prompt: PromptInput): prompt is readonly ChatMessage[] {
  return Array.isArray(prompt) && typeof prompt[0] === 'object';
}

function isPerTerm(prompt: PromptInput): prompt is { readonly [termId: string]: Prompt } {
  return typeof prompt === 'object' && !Array.isArray(prompt);
}

/** The prompt that a term sees, before its own rule. */
function promptFor(input: PromptInput, termId: string): Prompt {
  if (!isPerTerm(input)) return input;
  const own = Object.hasOwn(input, termId) ? input[termId] : undefined;
  if (own !== undefined) return own;
  throw bad(
    `the prompt has no entry for term "${termId}" (it has: ${Object.keys(input).join(', ')})`,
    'give one prompt for all terms, or one for each term id',
  );
}

function codecOf({ tokenizer }: Transformer): TextCodec {
  if (tokenizer !== undefined) return tokenizer;
  throw bad(
    'a text prompt for a model without a tokenizer',
    'pass token ids, or load the tokenizer with the model',
  );
}

function chatTokenizer(model: Transformer): Tokenizer {
  const codec = codecOf(model);
  if (isWhole(codec)) return codec;
  throw bad(
    'chat messages for a tokenizer without a chat template',
    'render the chat yourself and pass text or tokens',
  );
}

function isWhole(codec: TextCodec): codec is Tokenizer {
  return 'specialTokens' in codec;
}

/** With `prefix`, SentencePiece tokenizers would give each part a space of its own if it was encoded alone. */
function encode(prompt: Prompt, model: Transformer, prefix = ''): readonly number[] {
  if (typeof prompt !== 'string' && !isChat(prompt)) return prompt;
  if (typeof prompt === 'string') return codecOf(model).encode(behindStart(prompt, prefix, model));
  const rendered = renderChat({
    tokenizer: chatTokenizer(model),
    messages: prompt.map(({ role, content }) => ({ role, content })),
    addGenerationPrompt: true,
  });
  return codecOf(model).encode(behindStart(rendered, prefix, model), { addSpecialTokens: false });
}

/** The text with the prefix behind the beginning-of-text token that it spells out, if it does. */
function behindStart(text: string, prefix: string, model: Transformer): string {
  const codec = codecOf(model);
  const bos = isWhole(codec) ? codec.specialTokens.bos : undefined;
  if (bos === undefined || !text.startsWith(bos)) return prefix + text;
  return bos + prefix + text.slice(bos.length);
}

function withSystem(prompt: Prompt, system: string): Prompt {
  if (!isChat(prompt)) {
    throw bad(
      'a term with its own system message got a prompt that is not chat messages',
      'pass messages, or use { prefix } instead of { system }',
    );
  }
  const rest = prompt[0]?.role === 'system' ? prompt.slice(1) : prompt;
  return [{ role: 'system', content: system }, ...rest];
}

function withPrefix(
  tokens: readonly number[],
  prefix: readonly number[] | string,
  model: Transformer,
): readonly number[] {
  const { bosTokenId } = model.config;
  if (prefix === '') return tokens;
  let added = typeof prefix === 'string' ? encode(prefix, model) : prefix;
  const hasBos = bosTokenId !== null && tokens[0] === bosTokenId;
  if (hasBos && added[0] === bosTokenId) added = added.slice(1);
  return hasBos ? [bosTokenId, ...added, ...tokens.slice(1)] : [...added, ...tokens];
}

/**
 * Token ids of the prompt as a term sees it. `keepTokens` leaves a text the tokens it has alone, whatever stands before.
 * @throws BAD_ARGUMENT for prompts a term or its tokenizer cannot take.
 */
export function promptTokens(
  input: PromptInput,
  termId: string,
  model: Transformer,
  rule: PromptRule | undefined,
  { keepTokens = false }: { readonly keepTokens?: boolean } = {},
): readonly number[] {
  let prompt = promptFor(input, termId);
  if (typeof rule === 'function') prompt = rule(prompt);
  else if (rule !== undefined && 'system' in rule) prompt = withSystem(prompt, rule.system);
  const prefix = typeof rule === 'object' && 'prefix' in rule ? rule.prefix : '';
  const isText = typeof prompt === 'string' || isChat(prompt);
  const tokens =
    isText && typeof prefix === 'string' && !keepTokens
      ? encode(prompt, model, prefix)
      : withPrefix(encode(prompt, model), prefix, model);
  if (tokens.length === 0) {
    throw bad(`the prompt of term "${termId}" is empty`, 'a prompt needs at least one token');
  }
  return tokens;
}
