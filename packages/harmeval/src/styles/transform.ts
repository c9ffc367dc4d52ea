// Transforms of a question: pure, seeded, versioned, and invertible where the encoding allows it.

import type { ChatMessage } from '../generate.ts';
import { type RandomStream, seededRandom } from '../seeded-random.ts';
import type { PromptStyle } from './prompt-style.ts';

export interface Transform {
  readonly id: string;
  readonly version: string;
  /** `random` is seeded by run and item; a transform without chance ignores it. */
  readonly apply: (question: string, random: RandomStream) => string;
  /** The question again, for transforms that lose nothing; used by tests and to show what was asked. */
  readonly invert?: (transformed: string) => string;
}

/** Applies transforms to the question before the style wraps it, in order. Their ids and versions name the result. */
export function withTransforms(style: PromptStyle, transforms: readonly Transform[]): PromptStyle {
  if (transforms.length === 0) return style;
  return {
    id: [style.id, ...transforms.map(({ id }) => id)].join('>'),
    version: [style.version, ...transforms.map(({ version }) => version)].join('.'),
    render: (item, context) => {
      const random = seededRandom(context.seed);
      const prompt = transforms.reduce((text, { apply }) => apply(text, random), item.prompt);
      return style.render({ ...item, prompt }, context);
    },
  };
}

/** Question and answer pairs put before the question as earlier turns (few-shot, many-shot, safe demonstrations). */
export interface Demonstrations {
  readonly id: string;
  readonly pairs: readonly { readonly question: string; readonly answer: string }[];
}

/**
 * Many-shot: earlier turns before the question, in seeded order. This package ships no compliant demonstrations; the test
 * of many-shot robustness works with placeholders as answers, because length and form already shift a model.
 */
export function withDemonstrations(
  style: PromptStyle,
  demonstrations: Demonstrations,
  shots: number,
): PromptStyle {
  return {
    id: `${style.id}>${demonstrations.id}-${shots}-shot`,
    version: style.version,
    render: (item, context) => {
      const rendered = style.render(item, context);
      const random = seededRandom(context.seed);
      const turns: ChatMessage[] = [];
      for (let i = 0; i < shots; i += 1) {
        // With replacement, so that any number of shots is possible from a short list.
        const pair = demonstrations.pairs[Math.floor(random() * demonstrations.pairs.length)];
        if (pair === undefined) continue;
        turns.push({ role: 'user', content: pair.question });
        turns.push({ role: 'assistant', content: pair.answer });
      }
      const { prompt } = rendered;
      if (prompt.kind === 'raw') {
        const text = turns
          .map(({ role, content }) => `${role === 'user' ? 'Q' : 'A'}: ${content}`)
          .join('\n');
        return { ...rendered, prompt: { kind: 'raw', text: `${text}\nQ: ${prompt.text}\nA:` } };
      }
      const first = prompt.messages.findIndex(({ role }) => role !== 'system');
      const at = first < 0 ? prompt.messages.length : first;
      const messages = [...prompt.messages.slice(0, at), ...turns, ...prompt.messages.slice(at)];
      return { ...rendered, prompt: { kind: 'chat', messages } };
    },
  };
}
