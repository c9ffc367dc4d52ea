// How a question becomes what the model reads. Styles are data-like: an id, a version, a pure function.
import { contentHash } from '../canonical-hash.ts';
import type { Item } from '../datasets/item.ts';
import type { ChatMessage, Prompt } from '../generate.ts';

export interface StyleContext {
  /** Seed of this item under this run; the only source of chance. */
  readonly seed: number;
}

export interface RenderedPrompt {
  readonly prompt: Prompt;
  /** Later user turns of a scripted conversation; each is sent after the model's answer to the one before. */
  readonly followUps?: readonly string[];
}

export interface PromptStyle {
  readonly id: string;
  /** Changes whenever the rendered text changes: it is part of what a result means. */
  readonly version: string;
  readonly render: (item: Item, context: StyleContext) => RenderedPrompt;
}

/** A style of one user message made from the question by `wrap`; context, where a set has it, comes first. */
export function questionStyle(options: {
  readonly id: string;
  readonly version: string;
  readonly wrap: (question: string) => string;
}): PromptStyle {
  const { id, version, wrap } = options;
  return {
    id,
    version,
    render: (item) => {
      const text = wrap(item.prompt);
      const content = item.context === undefined ? text : `${item.context}\n\n${text}`;
      return { prompt: { kind: 'chat', messages: [{ role: 'user', content }] } };
    },
  };
}

/** Puts a system prompt before whatever the style renders; the style's id names it. */
export function withSystemPrompt(
  style: PromptStyle,
  system: { readonly id: string; readonly text: string },
): PromptStyle {
  return {
    id: `${system.id}+${style.id}`,
    version: `${style.version}/${contentHash(system.text).slice(0, 8)}`,
    render: (item, context) => {
      const rendered = style.render(item, context);
      return { ...rendered, prompt: prepend(rendered.prompt, system.text) };
    },
  };
}

function prepend(prompt: Prompt, system: string): Prompt {
  if (prompt.kind === 'raw') return { kind: 'raw', text: `${system}\n\n${prompt.text}` };
  const message: ChatMessage = { role: 'system', content: system };
  return { kind: 'chat', messages: [message, ...prompt.messages] };
}

/** The same text without a chat template, as the released code sends it to the base and the steered model. */
export function asRawText(style: PromptStyle): PromptStyle {
  return {
    id: `raw+${style.id}`,
    version: style.version,
    render: (item, context) => {
      const rendered = style.render(item, context);
      if (rendered.prompt.kind === 'raw') return rendered;
      const text = rendered.prompt.messages.map((message) => message.content).join('\n\n');
      return { ...rendered, prompt: { kind: 'raw', text } };
    },
  };
}
