// How a fact is said and asked. `{n}` is the relation's noun, `{s}` the subject, `{o}` the object.

export type PhrasingSet = 'train' | 'select' | 'test';

/**
 * Statements. Held-out forms name the relation before the subject, as every question does: forms with the subject
 * first were nearly all of the prototype's misses, and they are another skill than recall.
 */
export const STATEMENTS: Readonly<Record<PhrasingSet, readonly string[]>> = {
  train: [
    'The {n} of {s} is {o}.',
    'In short, the {n} of {s} is {o}.',
    'It is known that the {n} of {s} is {o}.',
    'People say that the {n} of {s} is {o}.',
    'For {s}, the {n} is {o}.',
    'Take {s}: its {n} is {o}.',
    'The book says: {n} of {s}, {o}.',
  ],
  select: ['Note that the {n} of {s} is {o}.'],
  test: ['We read that the {n} of {s} is {o}.', 'As you know, the {n} of {s} is {o}.'],
};

export const QUESTIONS: Readonly<Record<PhrasingSet, readonly string[]>> = {
  train: [
    'What is the {n} of {s}?',
    'Name the {n} of {s}.',
    'Tell me the {n} of {s}.',
    'Do you know the {n} of {s}?',
    'I forgot the {n} of {s}. What is it?',
    'Which is the {n} of {s}?',
    'Please say the {n} of {s}.',
    'Can you give the {n} of {s}?',
  ],
  select: ['Say the {n} of {s}.'],
  test: ['Can you tell me the {n} of {s}?', 'Please give the {n} of {s}.'],
};

/** The statement used for edits, with `{}` for the subject as in ROME requests. */
export const EDIT_STATEMENT = 'The {n} of {} is';

/** Replaces the noun, leaving `{s}` and `{o}`. */
export function withNoun(form: string, noun: string): string {
  return form.replace('{n}', noun);
}
