// Where demonstrations and second distributions come from, as the experiment file says it.
import { z } from 'zod';

/** Demonstrations: a split of the bundled model, or a JSON file of {question, answer} rows. */
export const demonstrationSource = z.union([
  z.literal('pocket'),
  z.strictObject({ path: z.string().min(1) }),
]);

/**
 * What makes a term of a formula differ from the arm's own model. `adapter` is the name of a loaded adapter or the
 * directory of one; `model` a second checkpoint; `systemPrompt` and `prefix` reframe the question.
 */
export const termSource = z
  .strictObject({
    model: z.string().min(1).optional(),
    adapter: z.string().min(1).optional(),
    systemPrompt: z.string().min(1).optional(),
    prefix: z.string().min(1).optional(),
  })
  .refine((source) => Object.values(source).some((value) => value !== undefined), {
    error: 'name at least one of: adapter, model, systemPrompt, prefix',
  });

export type TermSource = z.output<typeof termSource>;
