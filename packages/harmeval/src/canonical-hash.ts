// Content addresses: canonical JSON (sorted keys, shortest numbers, no undefined) under SHA-256.
import { createHash } from 'node:crypto';
import { HarmEvalError } from './harm-eval-error.ts';

/** Lower-case hex SHA-256 of a UTF-8 string or of bytes. */
export function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

/**
 * One text for one value: object keys sorted, `undefined` members left out, numbers in their shortest round-trip form.
 * Throws `BAD_ARGUMENT` for what JSON cannot carry (functions, NaN, bigint): such a value must not reach a cache key.
 */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') {
    return JSON.stringify(value);
  }
  if (typeof value === 'number' && Number.isFinite(value)) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value === 'object') {
    const members = Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
      .map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`);
    return `{${members.join(',')}}`;
  }
  throw new HarmEvalError(`a ${typeof value} (${String(value)}) has no canonical form`, {
    code: 'BAD_ARGUMENT',
    hint: 'hash plain data only: strings, finite numbers, booleans, null, arrays and objects',
  });
}

/** SHA-256 of the canonical JSON of a value. */
export function contentHash(value: unknown): string {
  return sha256(canonicalJson(value));
}

/** A 32-bit seed derived from any value; the same value gives the same seed on every machine. */
export function deriveSeed(value: unknown): number {
  return Number.parseInt(contentHash(value).slice(0, 8), 16);
}
