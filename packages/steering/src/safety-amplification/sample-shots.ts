// Seeded choice of the demonstrations and the query of each prompt, without replacement inside a prompt.
import { uniformAt } from '@safeinfer/transformer';
import type { Demonstration } from './demonstration.ts';

export interface SampledPrompt {
  readonly shots: readonly Demonstration[];
  readonly query: Demonstration;
}

/** `count` prompts of `shots` distinct demonstrations and one further one as the query. */
export function sampleShots(options: {
  readonly demonstrations: readonly Demonstration[];
  readonly shots: number;
  readonly count: number;
  readonly seed: number;
}): SampledPrompt[] {
  const { demonstrations, shots, count, seed } = options;
  let counter = 0;
  return Array.from({ length: count }, () => {
    // Partial Fisher-Yates: the first shots + 1 places are a uniform draw without replacement.
    const order = demonstrations.map((_, index) => index);
    for (let place = 0; place <= shots; place += 1) {
      const other = place + Math.floor(uniformAt(seed, counter++) * (order.length - place));
      [order[place], order[other]] = [order[other]!, order[place]!];
    }
    const chosen = order.slice(0, shots + 1).map((index) => demonstrations[index]!);
    return { shots: chosen.slice(0, shots), query: chosen[shots]! };
  });
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
