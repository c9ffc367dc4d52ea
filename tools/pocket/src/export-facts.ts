// Facts as edit requests: prompt, targets, paraphrases and neighbourhood, and the held-out questions.
import type { FactQuestionItem, PocketFact } from '@safeinfer/pocket';
import { EDIT_STATEMENT, QUESTIONS, STATEMENTS, withNoun } from './fact-phrasings.ts';
import { factQuestion } from './harmless.ts';
import { createRandom } from './random.ts';
import { FACTS, type Fact, RELATION_NOUNS } from './world.ts';

const NEIGHBOURS = 10;

function statementPrompt(form: string, noun: string): string {
  const text = withNoun(form, noun).replace('{s}', '{}');
  return text.slice(0, text.indexOf(' {o}'));
}

function noun(fact: Fact, i: number): string {
  const nouns = RELATION_NOUNS[fact.relation];
  return nouns[i % nouns.length] as string;
}

export function exportFacts(seed: number): PocketFact[] {
  return FACTS.map((fact) => {
    const random = createRandom(`fact|${seed}|${fact.id}`);
    const others = FACTS.filter((f) => f.relation === fact.relation && f.object !== fact.object);
    const prompt = withNoun(EDIT_STATEMENT, noun(fact, 0));
    return {
      id: fact.id,
      relation: fact.relation,
      subject: fact.subject,
      prompt,
      target_true: fact.object,
      target_new: random.pick(others).object,
      paraphrases: STATEMENTS.test.map((form, i) => statementPrompt(form, noun(fact, i))),
      questions: QUESTIONS.test.map((form, i) => factQuestion(fact, form, noun(fact, i))),
      neighbourhood: random
        .shuffle(others)
        .slice(0, NEIGHBOURS)
        .map((f) => ({ subject: f.subject, target: f.object })),
      sameSubject: FACTS.filter((f) => f.subject === fact.subject && f.id !== fact.id).map((f) => ({
        prompt: withNoun(EDIT_STATEMENT, noun(f, 0)).replace('{}', f.subject),
        target: f.object,
      })),
    };
  });
}

export function exportFactQuestions(): FactQuestionItem[] {
  return FACTS.flatMap((fact) =>
    (['select', 'test'] as const).flatMap((split) =>
      QUESTIONS[split].map((form, i) => ({
        id: `${fact.id}#${split}${i + 1}`,
        split,
        factId: fact.id,
        relation: fact.relation,
        subject: fact.subject,
        question: factQuestion(fact, form, noun(fact, i)),
        answer: `${fact.object}.`,
      })),
    ),
  );
}
