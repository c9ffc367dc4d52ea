import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TokenLogLikelihood } from './log-likelihood.ts';
import { rollingWindows, scoreRollingPerplexity } from './rolling-perplexity.ts';

/** Tokens are character codes; the probability of one depends on the `order` tokens before it, and on nothing else. */
function markov(order: number, window: number, longest: { seen: number }): TokenLogLikelihood {
  return Object.assign(
    async (
      requests: readonly {
        readonly context: readonly number[];
        readonly continuation: readonly number[];
      }[],
    ) =>
      requests.map(({ context, continuation }) => {
        const ids = [...context, ...continuation];
        longest.seen = Math.max(longest.seen, ids.length);
        let logProb = 0;
        for (let i = context.length; i < ids.length; i += 1) logProb += logP(ids, i, order);
        return { logProb, tokens: continuation.length };
      }),
    {
      batchSize: 2,
      window,
      prefix: 0,
      tokenize: (text: string) => [...text].map((c) => c.charCodeAt(0)),
    },
  );
}

function logP(ids: readonly number[], i: number, order: number): number {
  const before = ids.slice(Math.max(0, i - order), i).reduce((sum, id) => sum + id, 0);
  return Math.log(0.05 + 0.9 * (((ids[i] ?? 0) * 7 + before * 3) % 11) * 0.1);
}

const text = 'a text that is rather longer than the window of the model that reads it';

/** Computed over the whole document at once. */
function perToken(order: number): number {
  const ids = [0, ...[...text].map((c) => c.charCodeAt(0))];
  let sum = 0;
  for (let i = 1; i < ids.length; i += 1) sum += logP(ids, i, order);
  return Math.exp(-sum / (ids.length - 1));
}

describe('rollingWindows', () => {
  it('scores every token once, within the window, with the context asked for', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 200 }),
        fc.integer({ min: 1, max: 40 }),
        fc.nat({ max: 39 }),
        (tokens, window, wanted) => {
          const overlap = Math.min(wanted, window - 1);
          const windows = rollingWindows({ tokens, window, overlap });
          expect(windows.map(({ scored }) => scored)).toEqual([
            ...(tokens > 0 ? [0] : []),
            ...windows.slice(0, -1).map(({ end }) => end),
          ]);
          expect(windows.at(-1)?.end ?? 0).toBe(tokens);
          for (const { context, scored, end } of windows) {
            expect(end - context).toBeLessThanOrEqual(window);
            if (scored > 0) expect(scored - context).toBeGreaterThanOrEqual(overlap);
          }
        },
      ),
    );
  });

  it('refuses an overlap that leaves nothing to score', () => {
    expect(() => rollingWindows({ tokens: 9, window: 4, overlap: 4 })).toThrow(
      expect.objectContaining({ code: 'BAD_ARGUMENT' }),
    );
  });
});

describe('scoreRollingPerplexity', () => {
  it('equals the score of the whole document when the overlap holds all that the model looks at', async () => {
    for (const order of [1, 2, 5]) {
      const longest = { seen: 0 };
      const result = await scoreRollingPerplexity({
        documents: [text],
        logLikelihood: markov(order, 12, longest),
        overlap: order,
      });
      expect(result.perToken).toBeCloseTo(perToken(order), 10);
      expect(result.tokens).toBe(text.length);
      expect(longest.seen).toBe(12);
    }
  });

  it('differs when windows overlap by less than the model looks back (negative control)', async () => {
    const result = await scoreRollingPerplexity({
      documents: [text],
      logLikelihood: markov(5, 12, { seen: 0 }),
      overlap: 1,
    });
    expect(Math.abs(result.perToken - perToken(5))).toBeGreaterThan(0.01);
  });
});
