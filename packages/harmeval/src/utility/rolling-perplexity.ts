// Perplexity of documents that are longer than the model's window: every token is scored once, in overlapping windows.
import { HarmEvalError } from '../harm-eval-error.ts';
import type { TokenLogLikelihood } from './log-likelihood.ts';
import { type Perplexity, perplexityOf } from './perplexity.ts';
import { scoreRequests } from './score-requests.ts';

export interface RollingWindow {
  /** First token of the context; from `scored` on, tokens are scored, up to and without `end`. */
  readonly context: number;
  readonly scored: number;
  readonly end: number;
}

/**
 * Cuts `tokens` tokens into windows of at most `window`, each with at least `overlap` tokens of context (the first has none).
 * Scored parts are disjoint and cover everything. An overlap of 1 is what lm-evaluation-harness does; more context costs
 * more passes and lowers the perplexity, so state it.
 * @throws HarmEvalError `BAD_ARGUMENT` unless 0 <= overlap < window
 */
export function rollingWindows(options: {
  readonly tokens: number;
  readonly window: number;
  readonly overlap: number;
}): readonly RollingWindow[] {
  const { tokens, window, overlap } = options;
  if (!Number.isInteger(window) || !Number.isInteger(overlap) || overlap < 0 || overlap >= window) {
    throw new HarmEvalError(`windows of ${window} tokens cannot overlap by ${overlap}`, {
      code: 'BAD_ARGUMENT',
      hint: 'the overlap is a whole number from 0 to one less than the window',
    });
  }
  const windows: RollingWindow[] = [];
  for (let scored = 0; scored < tokens; ) {
    const end = Math.min(tokens, scored === 0 ? window : scored + window - overlap);
    // The last window is filled up with context instead of being short: context is free there.
    windows.push({ context: scored === 0 ? 0 : Math.max(0, end - window), scored, end });
    scored = end;
  }
  return windows;
}

/**
 * As `scorePerplexity`, in rolling windows. The prefix token, where the model has one, stands before the first window and
 * takes one place of it.
 */
export async function scoreRollingPerplexity(options: {
  readonly documents: readonly string[];
  readonly logLikelihood: TokenLogLikelihood;
  /** Tokens of context at least, from the second window on. Default 1. */
  readonly overlap?: number;
  readonly signal?: AbortSignal;
}): Promise<Perplexity> {
  const { documents, logLikelihood, overlap = 1, signal } = options;
  const { tokenize, window, prefix } = logLikelihood;
  const requests = documents.flatMap((text) => {
    const ids = prefix === null ? tokenize(text) : [prefix, ...tokenize(text)];
    return rollingWindows({ tokens: ids.length, window, overlap }).flatMap(
      ({ context, scored, end }) => {
        // Nothing stands before the first token, so it is context itself.
        const from = Math.max(scored, 1);
        return from >= end
          ? []
          : [{ context: ids.slice(context, from), continuation: ids.slice(from, end) }];
      },
    );
  });
  return perplexityOf(documents, await scoreRequests(logLikelihood, requests, signal));
}
