// Finds the file that a declared path means: the path itself, or the only one that a pattern allows.
import { HarmEvalError } from '../harm-eval-error.ts';

const DATA_ENDINGS = /\.(?:csv|json|jsonl|ndjson|parquet)$/iu;

/** Undefined when none matches. Throws `BAD_ARGUMENT` when a pattern fits several files: guessing would be worse. */
export function matchingPath(declared: string, present: readonly string[]): string | undefined {
  if (!declared.startsWith('*')) return present.find((path) => path === declared);
  const ending = declared.slice(1).toLowerCase();
  const fits = present.filter((path) =>
    ending === '' ? DATA_ENDINGS.test(path) : path.toLowerCase().endsWith(ending),
  );
  if (fits.length > 1) {
    throw new HarmEvalError(
      `${declared} fits ${fits.length} files: ${fits.slice(0, 5).join(', ')}`,
      {
        code: 'BAD_ARGUMENT',
        hint: 'pass the path of the one file to read',
      },
    );
  }
  return fits[0];
}
