// Interventions as JSON: exact, the same text for the same edit, so that it can be stored, compared and hashed.
import { SafeInferError } from '@safeinfer/backend';
import { type DataIntervention, type Intervention, isDataIntervention } from './intervention.ts';

/** Fields in the order they are written; values are base64 of little-endian fp32. */
const FIELDS = [
  'at',
  'op',
  'positions',
  'during',
  'heads',
  'label',
  'vector',
  'values',
  'scale',
  'factor',
  'strength',
  'target',
  'min',
  'max',
] as const;

const OPS: Readonly<Record<DataIntervention['op'], readonly string[]>> = {
  add: ['vector'],
  set: ['vector'],
  scale: ['factor'],
  zero: [],
  projectOut: ['vector'],
  setComponent: ['vector', 'target'],
  addKeepNorm: ['vector'],
  clamp: [],
  patch: ['values'],
};

/** A plain object that JSON can hold; throws BAD_ARGUMENT for functions, which have no written form. */
export function interventionToJson(intervention: Intervention): Record<string, unknown> {
  if (!isDataIntervention(intervention)) {
    throw new SafeInferError(`the intervention at '${intervention.at}' is a function`, {
      code: 'BAD_ARGUMENT',
      hint: 'only interventions with an `op` can be stored or used as a key',
    });
  }
  const source = intervention as unknown as Readonly<Record<string, unknown>>;
  const json: Record<string, unknown> = {};
  for (const field of FIELDS) {
    const value = source[field];
    if (value === undefined) continue;
    const numbers = field === 'vector' || field === 'values';
    json[field] = numbers ? toBase64(value as ArrayLike<number>) : value;
  }
  return json;
}

/** One text per edit: equal edits have equal keys, whatever array type or field order they were written with. */
export function interventionKey(intervention: Intervention): string {
  return JSON.stringify(interventionToJson(intervention));
}

/**
 * Reads what `interventionToJson` made. Names, sizes and numbers are checked when a model runs it; here only
 * the form. Throws BAD_ARGUMENT.
 */
export function interventionFromJson(json: unknown): DataIntervention {
  if (typeof json !== 'object' || json === null) throw bad('it is not an object');
  const given = json as Readonly<Record<string, unknown>>;
  const { op, at } = given;
  if (typeof at !== 'string') throw bad('`at` is not a string');
  if (typeof op !== 'string' || !Object.hasOwn(OPS, op)) throw bad(`unknown op ${String(op)}`);
  for (const field of OPS[op as DataIntervention['op']]) {
    if (given[field] === undefined) throw bad(`'${op}' needs '${field}'`);
  }
  const result: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(given)) {
    if (!(FIELDS as readonly string[]).includes(field)) throw bad(`unknown field '${field}'`);
    result[field] =
      field === 'vector' || field === 'values' ? fromBase64(field, value) : checked(field, value);
  }
  return result as unknown as DataIntervention;
}

/** Fields other than arrays of numbers. */
function checked(field: string, value: unknown): unknown {
  const integers = (list: unknown): boolean => Array.isArray(list) && list.every(Number.isInteger);
  const fits =
    field === 'at' || field === 'op' || field === 'label'
      ? typeof value === 'string'
      : field === 'positions'
        ? value === 'all' || value === 'last' || integers(value)
        : field === 'heads'
          ? integers(value)
          : field === 'during'
            ? value === 'prompt' || value === 'generation' || value === 'both'
            : typeof value === 'number' && Number.isFinite(value);
  if (!fits) throw bad(`'${field}' is ${JSON.stringify(value)}`);
  return value;
}

function toBase64(values: ArrayLike<number>): string {
  const bytes = new DataView(new ArrayBuffer(4 * values.length));
  for (let i = 0; i < values.length; i++) bytes.setFloat32(4 * i, values[i] as number, true);
  let text = '';
  for (let i = 0; i < bytes.byteLength; i++) text += String.fromCharCode(bytes.getUint8(i));
  return btoa(text);
}

function fromBase64(field: string, value: unknown): Float32Array {
  let text: string;
  try {
    if (typeof value !== 'string') throw new TypeError('not a string');
    text = atob(value);
  } catch {
    throw bad(`'${field}' is not base64`);
  }
  if (text.length % 4 !== 0) throw bad(`'${field}' is not a whole number of fp32 values`);
  const bytes = new DataView(new ArrayBuffer(text.length));
  for (let i = 0; i < text.length; i++) bytes.setUint8(i, text.charCodeAt(i));
  return Float32Array.from({ length: text.length / 4 }, (_, i) => bytes.getFloat32(4 * i, true));
}

function bad(why: string): SafeInferError {
  return new SafeInferError(`this is no stored intervention: ${why}`, {
    code: 'BAD_ARGUMENT',
    hint: 'pass what interventionToJson wrote',
  });
}
