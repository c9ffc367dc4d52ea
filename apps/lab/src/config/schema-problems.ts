// From zod's issues to problems with a place and a suggestion.
import { type Document, isAlias, isNode, type LineCounter } from 'yaml';
import type { z } from 'zod';
import type { ConfigProblem } from '../errors/config-error.ts';
import { knownKeys } from './known-keys.ts';
import { nearestName } from './nearest-name.ts';

export interface Place {
  readonly line?: number;
  readonly column?: number;
}

/** One issue may be several problems: each unknown key is one. */
export function schemaProblems(options: {
  readonly issue: z.core.$ZodIssue;
  readonly schema: z.core.$ZodType;
  readonly input: unknown;
  readonly place: (path: readonly PropertyKey[]) => Place;
}): ConfigProblem[] {
  const { issue, schema, input, place } = options;
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(schema, issue.path);
    return issue.keys.map((key) => {
      const path = [...issue.path, key];
      return {
        path: path.join('.'),
        message: `unknown key${suggestion(nearestName(key, known))}`,
        ...place(path),
      };
    });
  }
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    // The branch that got furthest is the one that was meant.
    const depth = (issues: readonly z.core.$ZodIssue[]): number =>
      Math.max(...issues.map((inner) => inner.path.length + (wrongKind(inner) ? 0 : 0.5)));
    const [best] = [...issue.errors].sort((a, b) => depth(b) - depth(a));
    const given = valueAt(input, issue.path);
    if (best && depth(best) > 0) {
      return best.flatMap((inner) =>
        schemaProblems({
          ...options,
          issue: { ...inner, path: [...issue.path, ...inner.path] },
        }),
      );
    }
    const words = issue.errors
      .flat()
      .flatMap((inner) => (inner.code === 'invalid_value' ? inner.values.map(String) : []));
    const near = typeof given === 'string' ? nearestName(given, words) : undefined;
    const forms = words.length > 0 ? `: use one of ${words.join(', ')}, or an object` : '';
    return [
      {
        path: issue.path.join('.'),
        message: `${JSON.stringify(given)} is not what this takes${forms}${suggestion(near)}`,
        ...place(issue.path),
      },
    ];
  }
  if (issue.code === 'invalid_value') {
    const given = valueAt(input, issue.path);
    const words = issue.values.map(String);
    const near = typeof given === 'string' ? nearestName(given, words) : undefined;
    return [
      {
        path: issue.path.join('.'),
        message: `${given === undefined ? 'missing' : JSON.stringify(given)}: use one of ${words.join(', ')}${suggestion(near)}`,
        ...place(issue.path),
      },
    ];
  }
  return [{ path: issue.path.join('.'), message: issue.message, ...place(issue.path) }];
}

function suggestion(name: string | undefined): string {
  return name === undefined ? '' : `; did you mean "${name}"?`;
}

function wrongKind({ code }: z.core.$ZodIssue): boolean {
  return code === 'invalid_type';
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let at = value;
  for (const key of path) {
    if (typeof at !== 'object' || at === null) return undefined;
    at = (at as Record<PropertyKey, unknown>)[key];
  }
  return at;
}

/** Line and column of the deepest node of `path` that exists. */
export function placeIn(
  document: Document,
  lines: LineCounter,
): (path: readonly PropertyKey[]) => Place {
  return (path) => {
    let node: unknown = document.contents;
    let found: unknown = node;
    for (const key of path) {
      if (isAlias(node)) node = node.resolve(document);
      const next = childOf(node, key);
      if (!isNode(next)) break;
      node = next;
      found = next;
    }
    if (!isNode(found) || !found.range) return {};
    const { line, col } = lines.linePos(found.range[0]);
    return { line, column: col };
  };
}

function childOf(node: unknown, key: PropertyKey): unknown {
  const collection = node as { get?: (key: unknown, keepScalar: boolean) => unknown } | null;
  return typeof key === 'symbol' ? undefined : collection?.get?.(key, true);
}
