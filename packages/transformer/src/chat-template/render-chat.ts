// Messages to the text a chat model was trained on, through the model's own Jinja template.
import { Environment, Interpreter, Template } from '@huggingface/jinja';
import { SafeInferError } from '@safeinfer/backend';
import type { SpecialTokens } from '../tokenizer/special-tokens.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import type { ChatTemplateSource } from './read-chat-template.ts';
import { strftime } from './strftime.ts';

/** One message. Templates of some models read further fields (`tool_calls`, `name`, ...). */
export interface ChatMessage {
  readonly role: string;
  readonly content?: unknown;
  readonly [field: string]: unknown;
}

export interface RenderChatOptions {
  /** The template, or templates by name. Default: those of `tokenizer`. */
  readonly template?: string | ChatTemplateSource;
  /** Gives the template and the texts of BOS, EOS, ... */
  readonly tokenizer?: Pick<Tokenizer, 'chatTemplate' | 'specialTokens'>;
  /** Texts of the special tokens, where there is no `tokenizer`. */
  readonly specialTokens?: SpecialTokens<string>;
  readonly messages: readonly ChatMessage[];
  /** End with the header of an assistant message, so that the model answers. Default false. */
  readonly addGenerationPrompt?: boolean;
  /** End inside the last message, so that the model goes on with it. Default false. */
  readonly continueFinalMessage?: boolean;
  /** Tools as JSON schemas; the template named `tool_use` is used for them when there is one. */
  readonly tools?: readonly unknown[];
  readonly documents?: readonly unknown[];
  /** Which of several templates; default `default`, or `tool_use` when tools are given. */
  readonly templateName?: string;
  /**
   * The time that templates see through `strftime_now`, in UTC. Without it the function is
   * undefined, so that no prompt depends on the clock by accident: templates that ask whether it is
   * defined fall back to their own date, others throw.
   */
  readonly now?: Date;
  /** Further variables of the template, such as `enable_thinking`. */
  readonly variables?: Readonly<Record<string, unknown>>;
}

/** Jinja's constants, in both spellings that templates use. */
const constants = { true: true, false: false, none: null, True: true, False: false, None: null };

/** The limit of Jinja's own sandbox. */
const maxRange = 100_000;

/**
 * Renders messages with a chat template.
 *
 * @returns the prompt as text; it contains BOS if the template writes it, so encode it with
 *   `addSpecialTokens: false`, or use `encodeChat`
 * @throws SafeInferError `NOT_FOUND` (no template), `BAD_FILE` (not Jinja), `BAD_ARGUMENT` (the
 *   template refuses the messages), `UNSUPPORTED` (the template needs something that is missing)
 */
export function renderChat(options: RenderChatOptions): string {
  const { messages, addGenerationPrompt = false, continueFinalMessage = false } = options;
  if (addGenerationPrompt && continueFinalMessage) {
    throw new SafeInferError('a prompt cannot both go on with a message and begin a new one', {
      code: 'BAD_ARGUMENT',
      hint: 'set one of addGenerationPrompt and continueFinalMessage',
    });
  }
  const template = parse(chooseTemplate(options));
  const text = run(template, options);
  return continueFinalMessage ? cutAfterFinalMessage(text, messages) : text;
}

/** Renders messages and encodes them: BOS comes from the template alone, never twice. */
export function encodeChat(
  options: Omit<RenderChatOptions, 'tokenizer'> & { readonly tokenizer: Tokenizer },
): number[] {
  return options.tokenizer.encode(renderChat(options), { addSpecialTokens: false });
}

function chooseTemplate(options: RenderChatOptions): string {
  const source = options.template ?? options.tokenizer?.chatTemplate;
  if (typeof source === 'string') return source;
  const { tools, templateName } = options;
  const fallback = tools !== undefined && source?.has('tool_use') ? 'tool_use' : 'default';
  const name = templateName ?? fallback;
  const template = source?.get(name);
  if (template !== undefined) return template;
  const known = [...(source?.keys() ?? [])];
  throw new SafeInferError(
    known.length === 0
      ? 'this model has no chat template'
      : `there is no chat template named '${name}', only ${known.join(', ')}`,
    {
      code: 'NOT_FOUND',
      hint: 'pass `template`, or use a model that was tuned for chat; base models have none',
    },
  );
}

/** Parsing takes longer than rendering, and a benchmark renders one template many times. */
const parsed = new Map<string, Template>();
/** More templates than any run uses; the cache starts again beyond it. */
const maxParsed = 32;

function parse(source: string): Template {
  const known = parsed.get(source);
  if (known !== undefined) return known;
  let template: Template;
  try {
    template = new Template(source);
  } catch (cause) {
    throw new SafeInferError(`the chat template is not valid Jinja: ${messageOf(cause)}`, {
      code: 'BAD_FILE',
      hint: 'compare it with the chat template of the model on the Hub',
      cause,
    });
  }
  if (parsed.size >= maxParsed) parsed.clear();
  parsed.set(source, template);
  return template;
}

function messageOf(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).slice(0, 500);
}

function run(template: Template, options: RenderChatOptions): string {
  const { now } = options;
  let refusal: string | undefined;
  const variables: Record<string, unknown> = {
    ...constants,
    ...specialTokenVariables(options.specialTokens ?? options.tokenizer?.specialTokens ?? {}),
    messages: options.messages,
    add_generation_prompt: options.addGenerationPrompt ?? false,
    ...(options.tools === undefined ? {} : { tools: options.tools }),
    ...(options.documents === undefined ? {} : { documents: options.documents }),
    ...options.variables,
    strftime_now: now === undefined ? undefined : (format: string) => strftime(now, format),
    range: limitedRange,
    raise_exception: (message: unknown) => {
      refusal = String(message);
      throw new Error(refusal);
    },
  };
  try {
    // Template.render declares its own strftime_now, which reads the clock, and an unlimited range.
    const environment = new Environment();
    for (const [name, value] of Object.entries(variables)) environment.set(name, value);
    const result: { readonly value: unknown } = new Interpreter(environment).run(template.parsed);
    return String(result.value);
  } catch (cause) {
    if (SafeInferError.isInstance(cause)) throw cause;
    if (refusal !== undefined) {
      throw new SafeInferError(`the chat template refuses these messages: ${refusal}`, {
        code: 'BAD_ARGUMENT',
        hint: 'change the roles or their order as the message says',
        cause,
      });
    }
    throw new SafeInferError(`the chat template cannot be rendered: ${messageOf(cause)}`, {
      code: 'UNSUPPORTED',
      hint: 'give what it uses: `now` for strftime_now, `tools`, or further `variables`',
      cause,
    });
  }
}

function specialTokenVariables(tokens: SpecialTokens<string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(tokens).map(([role, token]) => [`${role}_token`, token]),
  );
}

/** Jinja's `range`, with the limit that its sandbox puts on untrusted templates. */
function limitedRange(first: unknown, second: unknown, third: unknown): number[] {
  const numbers = [first, second, third].filter((value) => typeof value === 'number');
  const [start, stop, step = 1] =
    numbers.length === 1 ? [0, numbers[0] as number] : (numbers as [number, number, number?]);
  const length = Math.max(0, Math.ceil((stop - start) / step));
  if (!(length <= maxRange)) throw new Error(`range() is limited to ${maxRange} numbers`);
  return Array.from({ length }, (_, i) => start + i * step);
}

/** Ends the text where the content of the last message ends, whatever the template writes after. */
function cutAfterFinalMessage(text: string, messages: readonly ChatMessage[]): string {
  const content = messages.at(-1)?.content;
  const trimmed = typeof content === 'string' ? content.trim() : '';
  const at = trimmed === '' ? -1 : text.lastIndexOf(trimmed);
  if (typeof content !== 'string' || at < 0) {
    throw new SafeInferError('the rendered chat does not contain the text of the last message', {
      code: 'BAD_ARGUMENT',
      hint: 'continueFinalMessage needs a last message with text that the template writes unchanged',
    });
  }
  // Templates differ in whether they trim: keep the white space at the end if it is there.
  const kept = content.trimStart();
  return text.startsWith(kept, at)
    ? text.slice(0, at + kept.length)
    : text.slice(0, at + trimmed.length);
}
