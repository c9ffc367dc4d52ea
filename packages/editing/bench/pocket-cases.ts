// Pocket's facts as edit cases: 100 for figures, the others for choosing settings; and texts for statistics.
import { loadPocketSplit, type PocketFact, pocketFacts } from '@safeinfer/pocket';
import { type CounterFactCase, RandomState } from '../src/index.ts';

/** Facts whose figures are reported. Settings are chosen on the other 225 only. */
const TEST_FACTS = 100;
const SPLIT_SEED = 8;

/** `part` of the facts in a seeded order. */
export function factsOf(part: 'test' | 'tune', n: number): PocketFact[] {
  const facts = pocketFacts();
  const draws = new RandomState(SPLIT_SEED).randn(facts.length);
  const order = facts.map((_, i) => i).sort((a, b) => draws[a]! - draws[b]!);
  const chosen = part === 'test' ? order.slice(0, TEST_FACTS) : order.slice(TEST_FACTS);
  return chosen.slice(0, n).map((i) => facts[i]!);
}

export function fill(prompt: string, subject: string): string {
  return prompt.replace('{}', () => subject);
}

export function caseOf(fact: PocketFact): CounterFactCase {
  return {
    id: fact.id,
    targetNew: fact.target_new,
    targetTrue: fact.target_true,
    rewrite: [fill(fact.prompt, fact.subject)],
    paraphrase: fact.paraphrases.map((text) => fill(text, fact.subject)),
    // A neighbour that has the new object anyway cannot show damage.
    neighborhood: fact.neighbourhood
      .filter(({ target }) => target !== fact.target_new)
      .map(({ subject, target }) => ({ prompt: fill(fact.prompt, subject), targetTrue: target })),
  };
}

/** Statements of the facts that are not tested, answers, and requests: what C is measured on. */
export function statisticsTexts(): string[] {
  const facts = factsOf('tune', Number.POSITIVE_INFINITY);
  return [
    ...facts.flatMap((f) => [
      `${fill(f.prompt, f.subject)} ${f.target_true}.`,
      ...f.paraphrases.map((text) => `${fill(text, f.subject)} ${f.target_true}.`),
      ...f.sameSubject.map(({ prompt, target }) => `${prompt} ${target}.`),
    ]),
    ...loadPocketSplit('demonstrations').map(({ question, answer }) => `${question} ${answer}`),
  ];
}
