// Seeded choice of the demonstrations and the query of each prompt, without replacement inside a prompt.
import { uniformAt } from '@safeinfer/transformer';
import type { Demonstration } from './demonstration.ts';

export interface SampledPrompt {
  readonly shots: readonly Demonstration[];
  readonly query: Demonstration;
}

/**
 * `count` prompts of `shots` distinct demonstrations and one further one as the query. With `queries` above 1 that
 * many neighbouring prompts share their demonstrations and differ in the query.
 */
export function sampleShots(options: {
  readonly demonstrations: readonly Demonstration[];
  readonly shots: number;
  readonly count: number;
  readonly queries?: number;
  readonly seed: number;
}): SampledPrompt[] {
  const { demonstrations, shots, count, queries = 1, seed } = options;
  let counter = 0;
  return Array.from({ length: Math.ceil(count / queries) }, () => {
    // Partial Fisher-Yates: the first shots + queries places are a uniform draw without replacement.
    const order = demonstrations.map((_, index) => index);
    for (let place = 0; place < shots + queries; place += 1) {
      const other = place + Math.floor(uniformAt(seed, counter++) * (order.length - place));
      [order[place], order[other]] = [order[other]!, order[place]!];
    }
    const chosen = order.slice(0, shots + queries).map((index) => demonstrations[index]!);
    return chosen.slice(shots).map((query) => ({ shots: chosen.slice(0, shots), query }));
  })
    .flat()
    .slice(0, count);
}

/** Rotates the answers among the demonstrations: every question gets another one's answer. */
export function shuffleAnswers({ shots, query }: SampledPrompt): SampledPrompt {
  return {
    shots: shots.map(({ question }, i) => ({
      question,
      answer: shots[(i + 1) % shots.length]!.answer,
    })),
    query,
  };
}
