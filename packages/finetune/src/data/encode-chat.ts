// Conversations as training examples, through the model's own chat template.
import { SafeInferError } from '@safeinfer/backend';
import {
  type ChatMessage,
  type RenderChatOptions,
  renderChat,
  type Tokenizer,
} from '@safeinfer/transformer';
import type { TrainingExample } from './example.ts';
import { type LengthLimit, limitLength } from './limit-length.ts';

export interface Conversation {
  readonly id?: string;
  /** Ends with the assistant's message. */
  readonly messages: readonly ChatMessage[];
}

export interface EncodeChatOptions extends LengthLimit {
  readonly tokenizer: Tokenizer;
  readonly conversations: readonly Conversation[];
  /** Whether loss is taken on the last answer (default) or on every message of the assistant. */
  readonly learn?: 'last' | 'all';
  /** Weight of everything else; default 0, completion-only loss. */
  readonly promptWeight?: number;
  /** Further options of the template, such as `template`, `tools`, `now` or `variables`. */
  readonly render?: Omit<
    RenderChatOptions,
    'messages' | 'tokenizer' | 'addGenerationPrompt' | 'continueFinalMessage'
  >;
}

/**
 * Renders each conversation and finds the tokens of its answers: those that follow the prompt with which the
 * model would be asked to answer, up to and including what the template writes after the answer (the end of
 * the turn, which teaches the model to stop). A token that straddles the border counts as part of the answer.
 *
 * @throws SafeInferError `BAD_DATASET` (no answer at the end, an empty one, or a template that rewrites the
 *   prompt once it is answered), `CONTEXT_OVERFLOW`, and what `renderChat` throws
 */
export function encodeChatExamples(options: EncodeChatOptions): TrainingExample[] {
  const examples = options.conversations.map((conversation, index) =>
    encodeConversation(conversation, index, options),
  );
  return limitLength(examples, options);
}

function encodeConversation(
  { id, messages }: Conversation,
  index: number,
  options: EncodeChatOptions,
): TrainingExample {
  const { tokenizer, learn = 'last', promptWeight = 0, render = {} } = options;
  const name = id === undefined ? `conversation ${index}` : `conversation '${id}'`;
  const refuse = (what: string, hint: string): SafeInferError =>
    new SafeInferError(`${name} ${what}`, { code: 'BAD_DATASET', hint });
  if (messages.at(-1)?.role !== 'assistant') {
    throw refuse('does not end with the assistant', 'end it with the answer to learn');
  }
  const text = renderChat({ ...render, tokenizer, messages });
  const encode = (part: string): number[] => tokenizer.encode(part, { addSpecialTokens: false });
  const tokens = encode(text);
  const weights = new Array<number>(tokens.length).fill(promptWeight);
  messages.forEach((message, turn) => {
    const last = turn === messages.length - 1;
    if (message.role !== 'assistant' || (learn === 'last' && !last)) return;
    if (typeof message.content === 'string' && message.content.trim() === '') {
      throw refuse('has an empty answer', 'remove conversations whose answer is empty');
    }
    const prompt = renderChat({
      ...render,
      tokenizer,
      messages: messages.slice(0, turn),
      addGenerationPrompt: true,
    });
    const until = last
      ? text
      : renderChat({ ...render, tokenizer, messages: messages.slice(0, turn + 1) });
    if (!text.startsWith(prompt) || !text.startsWith(until)) {
      throw refuse(
        `changes its earlier text when message ${turn} is answered`,
        "this template rewrites history: use learn: 'last', or split the conversation",
      );
    }
    const start = commonLength(tokens, encode(prompt));
    const end = last ? tokens.length : commonLength(tokens, encode(until));
    if (end <= start) throw refuse('has an answer without tokens', 'remove this conversation');
    weights.fill(1, start, end);
  });
  return { ...(id === undefined ? {} : { id }), tokens, weights };
}

/** Length of the common beginning. */
export function commonLength(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let length = 0;
  while (length < a.length && length < b.length && a[length] === b[length]) length++;
  return length;
}
