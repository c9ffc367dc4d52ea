// Fills {placeholders} in one pass, so that nothing inside an inserted text is taken for a placeholder.
import { HarmEvalError } from '../harm-eval-error.ts';

/** Throws `BAD_ARGUMENT` for a placeholder that has no value: a prompt with a hole in it judges nothing. */
export function fillTemplate(template: string, values: Readonly<Record<string, string>>): string {
  return template.replace(/\{([a-z]+)\}/gu, (_, name: string) => {
    const value = values[name];
    if (value !== undefined) return value;
    throw new HarmEvalError(`the template names {${name}}, which is not known`, {
      code: 'BAD_ARGUMENT',
      hint: `use ${Object.keys(values)
        .map((key) => `{${key}}`)
        .join(', ')}`,
    });
  });
}
