// From the sampler's events to what a record keeps of every token.
import type { TokenEvent } from '@safeinfer/guided-sampler';
import type { TokenTrace } from '../run/trial-record.ts';

/** Alternatives kept beside the chosen token, and so tokens to ask the sampler for. */
const ALTERNATIVES = 4;
export const TRACED_LOGPROBS: number = ALTERNATIVES + 1;

/** The arm's own model in every formula. */
export const OWN_TERM = 'model';

export function tokenTrace(options: {
  readonly events: readonly TokenEvent[];
  /** Text that was held back until the answer ended. */
  readonly rest: string;
  /** Log-probability of every token under the model without steering; absent for an arm that is not steered. */
  readonly unsteered?: readonly number[] | undefined;
}): TokenTrace[] {
  const { events, rest, unsteered } = options;
  return events.map(({ token, text, logprob, terms = {}, top = [] }, index) => {
    const contributions = Object.entries(terms).flatMap(([name, term]): [string, number][] => {
      const { delta, logprob: own } = term;
      if (delta === undefined) return [];
      const plain = unsteered?.[index];
      if (name !== OWN_TERM || plain === undefined || own === undefined) return [[name, delta]];
      // The term enters the score with a weight (1, or 1 + a in context-aware decoding); steering shares it.
      const weight = own === 0 ? 1 : delta / own;
      return [
        [OWN_TERM, weight * plain],
        ['steering', weight * (own - plain)],
      ];
    });
    return {
      id: token,
      text: index === events.length - 1 ? text + rest : text,
      logprob: logprob === undefined || !Number.isFinite(logprob) ? null : round(logprob),
      terms: Object.fromEntries(
        contributions.filter(([, value]) => Number.isFinite(value)).map(([k, v]) => [k, round(v)]),
      ),
      alternatives: top
        .filter((entry) => entry.token !== token && Number.isFinite(entry.logprob))
        .slice(0, ALTERNATIVES)
        .map((entry) => ({ text: entry.text, logprob: round(entry.logprob) })),
    };
  });
}

/** Four decimals: what a person can see, at half the bytes. */
function round(value: number): number {
  return Math.round(value * 1e4) / 1e4;
}
