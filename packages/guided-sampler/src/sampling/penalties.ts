// Penalties for tokens that were already used: repetition, presence, frequency, repeated n-grams, DRY.
import type { Processor } from './processor.ts';

/** Tokens of the last `window` positions; 0 or less means all of them. */
function recent(history: readonly number[], window: number): readonly number[] {
  return window > 0 ? history.slice(-window) : history;
}

/**
 * Divides positive and multiplies negative scores of used tokens (CTRL, Keskar et al. 2019). Prompt tokens count, as
 * in Hugging Face; llama.cpp looks at the last 64 tokens.
 */
export function repetitionPenalty(penalty: number, window = 0): Processor {
  return {
    name: 'repetition penalty',
    effect: 'monotone',
    apply(scores, { history }) {
      for (const token of new Set(recent(history, window))) {
        const score = scores[token];
        if (score !== undefined) scores[token] = score < 0 ? score * penalty : score / penalty;
      }
    },
  };
}

/**
 * Subtracts `presence` once and `frequency` per use. OpenAI counts generated tokens only (`scope` 'generated');
 * llama.cpp counts the window, prompt included.
 */
export function countPenalty(options: {
  readonly presence: number;
  readonly frequency: number;
  readonly scope: 'generated' | 'all';
  readonly window?: number;
}): Processor {
  return {
    name: 'presence and frequency penalty',
    effect: 'monotone',
    apply(scores, { history, promptLength }) {
      const used = options.scope === 'generated' ? history.slice(promptLength) : history;
      const counts = new Map<number, number>();
      for (const token of recent(used, options.window ?? 0)) {
        counts.set(token, (counts.get(token) ?? 0) + 1);
      }
      for (const [token, count] of counts) {
        const score = scores[token];
        if (score !== undefined) {
          scores[token] = score - options.presence - count * options.frequency;
        }
      }
    },
  };
}

/** Bans the tokens that would complete an n-gram that is already in the row. */
export function noRepeatNgram(size: number): Processor {
  return {
    name: `no repeated ${size}-gram`,
    effect: 'monotone',
    apply(scores, { history }) {
      const start = history.length - (size - 1);
      if (start < 0) return;
      for (let at = 0; at + size <= history.length; at++) {
        let same = true;
        for (let i = 0; i < size - 1 && same; i++) same = history[at + i] === history[start + i];
        const token = history[at + size - 1];
        if (same && token !== undefined && token < scores.length) {
          scores[token] = Number.NEGATIVE_INFINITY;
        }
      }
    },
  };
}

/**
 * DRY: a token that would extend a repeat of length n > allowed loses multiplier * base^(n - allowed) (llama.cpp's
 * form; base 1.75, allowed 2 there). Repeats do not run over `breakers`.
 */
export function dryPenalty(options: {
  readonly multiplier: number;
  readonly base: number;
  readonly allowedLength: number;
  readonly breakers?: readonly number[];
}): Processor {
  const breakers = new Set(options.breakers ?? []);
  return {
    name: 'DRY',
    effect: 'monotone',
    apply(scores, { history }) {
      const longest = new Map<number, number>();
      for (let at = 0; at < history.length - 1; at++) {
        let length = 0;
        while (length <= at) {
          const token = history[at - length];
          if (token === undefined || breakers.has(token)) break;
          if (token !== history[history.length - 1 - length]) break;
          length++;
        }
        const next = history[at + 1] as number;
        if (length > 0 && !breakers.has(next)) {
          longest.set(next, Math.max(longest.get(next) ?? 0, length));
        }
      }
      for (const [token, length] of longest) {
        const score = scores[token];
        if (length >= options.allowedLength && score !== undefined) {
          scores[token] =
            score - options.multiplier * options.base ** (length - options.allowedLength);
        }
      }
    },
  };
}
