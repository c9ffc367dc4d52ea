// A question and the answer it should get, and the many-shot prompts that carry such pairs in context.
import { SafeInferError } from '@safeinfer/backend';

export interface Demonstration {
  readonly question: string;
  readonly answer: string;
}

/** Renders demonstrations and an open query into one prompt; the answer is to follow its last token. */
export type PromptFormat = (shots: readonly Demonstration[], query: string) => string;

/**
 * The raw form of function vectors and of SafeInfer: `Q: .. \nA: .. \n\n .. Q: query\nA:`
 * (SafeInfer fact: no chat template, one space before each text).
 */
export const questionAnswerFormat: PromptFormat = (shots, query) =>
  `${shots.map(({ question, answer }) => `Q: ${question}\nA: ${answer}\n\n`).join('')}Q: ${query}\nA:`;

/** True when every demonstration gives the same answer, which makes shuffling their labels a no-op. */
export function haveConstantAnswer(demonstrations: readonly Demonstration[]): boolean {
  const first = demonstrations[0]?.answer.trim();
  return demonstrations.every(({ answer }) => answer.trim() === first);
}

/** Refuses sets from which no prompt of `shots` demonstrations and `queries` separate queries can be drawn. */
export function checkDemonstrations(
  demonstrations: readonly Demonstration[],
  shots: number,
  what: string,
  queries = 1,
): void {
  if (demonstrations.length < shots + queries) {
    throw new SafeInferError(
      `${what}: ${demonstrations.length} demonstrations cannot fill a prompt of ${shots} shots and ${queries === 1 ? 'a query' : `${queries} queries`}`,
      {
        code: 'BAD_DATASET',
        hint: `give at least ${shots + queries} demonstrations or lower \`shots\`${queries === 1 ? '' : ' or `queriesPerDraw`'}`,
      },
    );
  }
  const seen = new Set<string>();
  for (const { question, answer } of demonstrations) {
    if (question.trim() === '' || answer.trim() === '') {
      throw new SafeInferError(`${what}: a demonstration has an empty question or answer`, {
        code: 'BAD_DATASET',
        hint: 'remove empty rows before building a vector',
      });
    }
    if (seen.has(question)) {
      throw new SafeInferError(`${what}: a question occurs twice`, {
        code: 'BAD_DATASET',
        hint: 'remove duplicates: a query must not be among its own demonstrations',
      });
    }
    seen.add(question);
  }
}
