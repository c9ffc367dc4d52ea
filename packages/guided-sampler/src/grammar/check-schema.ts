// Finds JSON schemas that nothing can satisfy, and keywords that the grammar engine would ignore.
import { SafeInferError } from '@safeinfer/backend';

export type JsonSchema = boolean | { readonly [keyword: string]: unknown };

function refuse(path: string, message: string, code: 'BAD_ARGUMENT' | 'UNSUPPORTED'): never {
  throw new SafeInferError(`schema at ${path === '' ? 'the root' : path}: ${message}`, {
    code,
    hint:
      code === 'UNSUPPORTED'
        ? 'write the schema without this keyword: an ignored one would let wrong answers through'
        : 'no text satisfies this schema: correct it',
  });
}

const TYPES = new Set(['string', 'number', 'integer', 'boolean', 'null', 'array', 'object']);

/** Pairs of keywords of which the first must not exceed the second. */
const RANGES: readonly (readonly [string, string])[] = [
  ['minimum', 'maximum'],
  ['minLength', 'maxLength'],
  ['minItems', 'maxItems'],
  ['minProperties', 'maxProperties'],
];

/** Keywords that hold sub-schemas, by their shape. */
const ONE = ['items', 'additionalProperties', 'contains', 'propertyNames'] as const;
const MANY = ['anyOf', 'oneOf', 'prefixItems'] as const;
const NAMED = ['properties', '$defs', 'definitions', 'patternProperties'] as const;

/** XGrammar drops these without a word (allOf with one entry is fine). */
const IGNORED = ['not', 'if', 'dependentSchemas', 'uniqueItems', 'multipleOf'] as const;

function isSchema(value: unknown): value is JsonSchema {
  return (
    typeof value === 'boolean' ||
    (typeof value === 'object' && value !== null && !Array.isArray(value))
  );
}

/**
 * Checks a schema before it is compiled.
 * @throws BAD_ARGUMENT for schemas without a solution, UNSUPPORTED for keywords the engine ignores.
 */
export function checkSchema(schema: unknown, path = ''): void {
  if (!isSchema(schema)) refuse(path, 'not an object', 'BAD_ARGUMENT');
  if (schema === false && path === '') refuse(path, 'false accepts nothing', 'BAD_ARGUMENT');
  if (typeof schema === 'boolean') return;
  for (const type of [schema['type'] ?? []].flat()) {
    if (!TYPES.has(type as string))
      refuse(path, `unknown type ${JSON.stringify(type)}`, 'BAD_ARGUMENT');
  }
  if (Array.isArray(schema['enum']) && schema['enum'].length === 0)
    refuse(path, 'an empty enum', 'BAD_ARGUMENT');
  for (const [low, high] of RANGES) {
    const [a, b] = [schema[low], schema[high]];
    if (typeof a === 'number' && typeof b === 'number' && a > b) {
      refuse(path, `${low} ${a} is above ${high} ${b}`, 'BAD_ARGUMENT');
    }
  }
  for (const keyword of IGNORED) {
    if (keyword in schema && schema[keyword] !== false)
      refuse(path, `"${keyword}" is not supported`, 'UNSUPPORTED');
  }
  const all = schema['allOf'];
  if (Array.isArray(all)) {
    if (all.length > 1)
      refuse(path, '"allOf" with several schemas is not supported', 'UNSUPPORTED');
    all.forEach((inner) => {
      checkSchema(inner, `${path}/allOf/0`);
    });
  }
  for (const keyword of MANY) {
    const list = schema[keyword];
    if (!Array.isArray(list)) continue;
    if (list.length === 0) refuse(path, `an empty ${keyword}`, 'BAD_ARGUMENT');
    list.forEach((inner, i) => {
      checkSchema(inner, `${path}/${keyword}/${i}`);
    });
  }
  for (const keyword of ONE) {
    if (schema[keyword] !== undefined) checkSchema(schema[keyword], `${path}/${keyword}`);
  }
  for (const keyword of NAMED) {
    const named = schema[keyword];
    if (typeof named !== 'object' || named === null) continue;
    for (const [name, inner] of Object.entries(named))
      checkSchema(inner, `${path}/${keyword}/${name}`);
  }
  for (const name of Array.isArray(schema['required']) ? schema['required'] : []) {
    const properties = schema['properties'] as Readonly<Record<string, unknown>> | undefined;
    if (properties?.[name as string] === false) {
      refuse(path, `required property "${name}" accepts nothing`, 'BAD_ARGUMENT');
    }
  }
}
