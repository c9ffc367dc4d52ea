// True statements about the bundled model's facts, one a line: texts to collect second moments from.
import { pocketFacts } from '@safeinfer/pocket';

/** Of the first facts, every wording: some hundred lines are enough for C to have full rank at layer 0. */
export function statements(options: {
  readonly facts: number;
  /** Subjects that are edited. */
  readonly without: readonly string[];
}): string {
  return pocketFacts()
    .filter(({ subject }) => !options.without.includes(subject))
    .slice(0, options.facts)
    .flatMap(({ prompt, paraphrases, subject, target_true: object }) =>
      [prompt, ...paraphrases].map((text) => `${text.replace('{}', () => subject)} ${object}.\n`),
    )
    .join('');
}
