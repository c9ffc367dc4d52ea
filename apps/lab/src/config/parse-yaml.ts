// A YAML file checked by a zod schema; every mistake comes back with its line and column.
import { readFileSync } from 'node:fs';
import { LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { ConfigError, type ConfigProblem } from '../errors/config-error.ts';
import { placeIn, schemaProblems } from './schema-problems.ts';

export interface ParsedYaml<T> {
  readonly value: T;
  /** The error for a mistake that the schema cannot see, at the place of `path` (keys and indices). */
  problem(path: readonly (string | number)[], message: string): ConfigProblem;
}

/** @throws ConfigError when the file cannot be read; `what` names it ("the experiment") */
export function readConfigText(file: string, what: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new ConfigError(file, [
      { path: '', message: `cannot read ${what}: ${(cause as Error).message}` },
    ]);
  }
}

/** @throws ConfigError listing all problems at once. */
export function parseYaml<S extends z.ZodType>(
  text: string,
  file: string,
  schema: S,
): ParsedYaml<z.output<S>> {
  const lines = new LineCounter();
  // Merge keys (<<: *name) are YAML 1.1, and what people write to vary one entry.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true });
  if (document.errors.length > 0) {
    throw new ConfigError(
      file,
      document.errors.map((error) => {
        const { line, col } = lines.linePos(error.pos[0]);
        return { path: '', message: error.message, line, column: col };
      }),
    );
  }
  const place = placeIn(document, lines);
  const input: unknown = document.toJS();
  const parsed = schema.safeParse(input);
  if (!parsed.success) {
    throw new ConfigError(
      file,
      parsed.error.issues.flatMap((issue) => schemaProblems({ issue, schema, input, place })),
    );
  }
  return {
    value: parsed.data,
    problem: (path, message) => ({
      path: path.join('.'),
      message,
      ...place(path),
    }),
  };
}
