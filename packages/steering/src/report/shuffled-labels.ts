// The control of shuffled labels: the same texts and the same recipe, with what tells the two sides apart destroyed.
import { uniformAt } from '@safeinfer/transformer';
import type { Demonstration } from '../safety-amplification/demonstration.ts';

/** Deals all items of both sides out again at random, as many to each side as before. */
export function shuffleSides<T>(options: {
  readonly positive: readonly T[];
  readonly negative: readonly T[];
  readonly seed: number;
}): { readonly positive: T[]; readonly negative: T[] } {
  const { positive, negative, seed } = options;
  const pool = [...positive, ...negative];
  for (let place = pool.length - 1; place > 0; place -= 1) {
    const other = Math.floor(uniformAt(seed, place) * (place + 1));
    [pool[place], pool[other]] = [pool[other]!, pool[place]!];
  }
  return { positive: pool.slice(0, positive.length), negative: pool.slice(positive.length) };
}

/**
 * Demonstrations of safety amplification without their sense: half of the questions, at random, get the compliant
 * answer among the safe ones and the safe answer among the compliant ones. Questions without a twin keep their answer.
 */
export function shuffleAnswersOfTwins(options: {
  readonly safe: readonly Demonstration[];
  readonly compliant: readonly Demonstration[];
  readonly seed: number;
}): { readonly safe: Demonstration[]; readonly compliant: Demonstration[] } {
  const { safe, compliant, seed } = options;
  const other = new Map(compliant.map(({ question, answer }) => [question, answer]));
  const twins = safe.filter(({ question }) => other.has(question));
  const swapped = new Map(
    [...twins.entries()]
      .map(([place, demonstration]) => ({ demonstration, key: uniformAt(seed, place) }))
      .sort((a, b) => a.key - b.key)
      .slice(0, Math.floor(twins.length / 2))
      .map(({ demonstration }) => [demonstration.question, demonstration.answer]),
  );
  return {
    safe: safe.map((own) =>
      swapped.has(own.question) ? { ...own, answer: other.get(own.question)! } : own,
    ),
    compliant: compliant.map((own) => {
      const answer = swapped.get(own.question);
      return answer === undefined ? own : { ...own, answer };
    }),
  };
}
