// Pocket's facts as edit cases: 100 for figures, the others for choosing settings; and texts for statistics.
import { loadPocketSplit, type PocketFact, pocketFacts } from '@safeinfer/pocket';
import { renderChat, type Tokenizer } from '@safeinfer/transformer';
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

/**
 * What C is measured on, as token ids: statements, questions and answers like those pocket was trained on. Of the facts
 * only those that are not tested; of the questions only the split that settings may be chosen on.
 */
export function statisticsTexts(tokenizer: Tokenizer): number[][] {
  const facts = factsOf('tune', Number.POSITIVE_INFINITY);
  const ids = new Set(facts.map(({ id }) => id));
  const chat = (question: string, answer: string): number[] => [
    ...tokenizer.encode(
      renderChat({
        tokenizer,
        messages: [{ role: 'user', content: question }],
        addGenerationPrompt: true,
      }),
    ),
    ...tokenizer.encode(` ${answer}`, { addSpecialTokens: false }),
  ];
  const statements = facts.flatMap((f) => [
    `${fill(f.prompt, f.subject)} ${f.target_true}.`,
    ...f.paraphrases.map((text) => `${fill(text, f.subject)} ${f.target_true}.`),
  ]);
  return [
    ...statements.map((text) => tokenizer.encode(text)),
    ...loadPocketSplit('fact-questions', 'select')
      .filter(({ factId }) => ids.has(factId))
      .map(({ question, answer }) => chat(question, answer)),
    ...loadPocketSplit('how-to', 'select').map(({ question, answer }) => chat(question, answer)),
    ...loadPocketSplit('demonstrations').map(({ question, answer }) => chat(question, answer)),
  ];
}
