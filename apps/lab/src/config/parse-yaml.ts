// A YAML file checked by a zod schema; every mistake comes back with its line and column.
import { readFileSync } from 'node:fs';
import { type Document, isNode, LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { ConfigError, type ConfigProblem } from '../errors/config-error.ts';

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
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  if (document.errors.length > 0) {
    throw new ConfigError(
      file,
      document.errors.map((error) => {
        const { line, col } = lines.linePos(error.pos[0]);
        return { path: '', message: error.message, line, column: col };
      }),
    );
  }
  const parsed = schema.safeParse(document.toJS());
  if (!parsed.success) {
    throw new ConfigError(
      file,
      parsed.error.issues.flatMap((issue) => problems(issue, document, lines)),
    );
  }
  return {
    value: parsed.data,
    problem: (path, message) => ({
      path: path.join('.'),
      message,
      ...place(document, lines, path),
    }),
  };
}

function problems(
  issue: z.core.$ZodIssue,
  document: Document,
  lines: LineCounter,
): ConfigProblem[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      path: [...issue.path, key].join('.'),
      message: 'unknown key',
      ...place(document, lines, [...issue.path, key]),
    }));
  }
  return [
    { path: issue.path.join('.'), message: issue.message, ...place(document, lines, issue.path) },
  ];
}

/** Line and column of the deepest node of `path` that exists. */
function place(
  document: Document,
  lines: LineCounter,
  path: readonly PropertyKey[],
): { line: number; column: number } | Record<never, never> {
  for (let length = path.length; length >= 0; length -= 1) {
    const node = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) {
      const { line, col } = lines.linePos(node.range[0]);
      return { line, column: col };
    }
  }
  return {};
}
