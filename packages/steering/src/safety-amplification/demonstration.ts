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

/** Refuses sets from which no prompt of `shots` demonstrations and a separate query can be drawn. */
export function checkDemonstrations(
  demonstrations: readonly Demonstration[],
  shots: number,
  what: string,
): void {
  if (demonstrations.length < shots + 1) {
    throw new SafeInferError(
      `${what}: ${demonstrations.length} demonstrations cannot fill a prompt of ${shots} shots and a query`,
      { code: 'BAD_DATASET', hint: `give at least ${shots + 1} demonstrations or lower \`shots\`` },
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
