// Reads an experiment file; every mistake comes back with its line and column.
import { readFileSync } from 'node:fs';
import { type Document, isNode, LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { ConfigError, type ConfigProblem } from '../errors/config-error.ts';
import { type Experiment, experimentSchema } from './experiment-schema.ts';

/** @throws ConfigError listing all problems at once. */
export function loadExperiment(file: string): Experiment {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new ConfigError(file, [
      { path: '', message: `cannot read the experiment: ${(cause as Error).message}` },
    ]);
  }
  return parseExperiment(text, file);
}

export function parseExperiment(text: string, file: string): Experiment {
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
  const parsed = experimentSchema.safeParse(document.toJS());
  if (!parsed.success) {
    throw new ConfigError(
      file,
      parsed.error.issues.flatMap((issue) => problems(issue, document, lines)),
    );
  }
  const duplicates = (['arms', 'edits'] as const).flatMap((key) =>
    parsed.data[key].flatMap(({ name }, index, all): ConfigProblem[] =>
      all.findIndex((other) => other.name === name) === index
        ? []
        : [
            {
              path: `${key}.${index}.name`,
              message: `"${name}" is used twice`,
              ...place(document, lines, [key, index, 'name']),
            },
          ],
    ),
  );
  if (duplicates.length > 0) throw new ConfigError(file, duplicates);
  return parsed.data;
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
