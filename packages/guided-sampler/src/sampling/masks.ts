// Fixed preferences and bans: logit bias, sequence bias, bad words, suppressed tokens, forced prefixes, minimum length.
import { type Processor, REMOVED } from './processor.ts';

/** Adds a number to the scores of single tokens. */
export function logitBias(bias: ReadonlyMap<number, number>): Processor {
  return {
    name: 'logit bias',
    effect: 'monotone',
    apply(scores) {
      for (const [token, value] of bias) {
        const score = scores[token];
        if (score !== undefined) scores[token] = score + value;
      }
    },
  };
}

/** Adds a bias to the last token of a sequence when the row ends with the rest of it (length 1: always). */
export function sequenceBias(
  entries: readonly { readonly tokens: readonly number[]; readonly bias: number }[],
  name = 'sequence bias',
): Processor {
  return {
    name,
    effect: 'monotone',
    apply(scores, { history }) {
      for (const { tokens, bias } of entries) {
        const head = tokens.length - 1;
        const start = history.length - head;
        if (start < 0 || tokens.slice(0, head).some((t, i) => history[start + i] !== t)) continue;
        const last = tokens[head] as number;
        const score = scores[last];
        if (score !== undefined) scores[last] = score + bias;
      }
    },
  };
}

/** Never completes one of these token sequences. */
export function badWords(sequences: readonly (readonly number[])[]): Processor {
  return sequenceBias(
    sequences.map((tokens) => ({ tokens, bias: REMOVED })),
    'bad words',
  );
}

/** Removes single tokens at every position. */
export function suppressTokens(tokens: readonly number[]): Processor {
  return {
    name: 'suppressed tokens',
    effect: 'monotone',
    apply(scores) {
      for (const token of tokens) if (token < scores.length) scores[token] = REMOVED;
    },
  };
}

/** The first generated tokens are these. */
export function forcedPrefix(prefix: readonly number[]): Processor {
  return {
    name: 'forced prefix',
    effect: 'monotone',
    apply(scores, { step }) {
      const token = prefix[step];
      if (token === undefined) return;
      const kept = scores[token] as number;
      scores.fill(REMOVED);
      // A token without support is forced all the same.
      scores[token] = kept === REMOVED ? 0 : kept;
    },
  };
}

/** End-of-text tokens have no support before `count` tokens were generated. */
export function minNewTokens(count: number, stopTokens: readonly number[]): Processor {
  return {
    name: 'minimum length',
    effect: 'monotone',
    apply(scores, { step }) {
      if (step >= count) return;
      for (const token of stopTokens) if (token < scores.length) scores[token] = REMOVED;
    },
  };
}
