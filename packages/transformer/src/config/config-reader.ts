// Typed, checked access to the keys of a config.json; every refusal names the key and the value found.
import { SafeInferError } from '@safeinfer/backend';

/** Sizes beyond these are no model's: a hostile file must not make us build a table of them. */
const maxSize = 2 ** 26;
const maxLayers = 4096;

/** A refusal that names the offending key. */
export function badConfig(key: string, reason: string): SafeInferError {
  return new SafeInferError(`config.json: '${key}' ${reason}`, {
    code: 'BAD_CONFIG',
    hint: `check '${key}' in config.json against the model's page, or download the file again`,
  });
}

/** How a value stands in a message: short, and on one line. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

type Json = Readonly<Record<string, unknown>>;

/** True for a plain JSON object. */
export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Reads one JSON object. Methods take the key and the value to assume when the key is absent, as
 * Hugging Face's config classes do; an explicit null is accepted by the `OrNull` methods only.
 */
export class ConfigReader {
  readonly #json: Json;
  readonly #path: string;
  readonly #aliases: Readonly<Record<string, string>>;

  /** `aliases` maps a key to a second spelling that is read when the first is absent. */
  constructor(json: Json, path = '', aliases: Readonly<Record<string, string>> = {}) {
    this.#json = json;
    this.#path = path;
    this.#aliases = aliases;
  }

  /** The same object under other aliases. */
  withAliases(aliases: Readonly<Record<string, string>>): ConfigReader {
    return new ConfigReader(this.#json, this.#path, aliases);
  }

  /** The same object as if `key` were absent. */
  without(key: string): ConfigReader {
    const rest = Object.fromEntries(Object.entries(this.#json).filter(([name]) => name !== key));
    return new ConfigReader(rest, this.#path, this.#aliases);
  }

  raw(key: string): unknown {
    if (Object.hasOwn(this.#json, key)) return this.#json[key];
    const alias = this.#aliases[key];
    if (alias !== undefined && Object.hasOwn(this.#json, alias)) return this.#json[alias];
    return undefined;
  }

  has(key: string): boolean {
    return this.raw(key) !== undefined;
  }

  fail(key: string, reason: string): never {
    throw badConfig(this.#path + key, reason);
  }

  /** A positive integer of a sane magnitude. */
  size(key: string, absent: number): number {
    const value = this.raw(key) ?? (this.raw(key) === null ? null : absent);
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 1) {
      return this.fail(key, `must be a positive integer, found ${shown(value)}`);
    }
    if (value > maxSize) return this.fail(key, `is ${value}, more than any model has`);
    return value;
  }

  layerCount(key: string, absent: number): number {
    const count = this.size(key, absent);
    if (count > maxLayers) return this.fail(key, `is ${count}, more than any model has`);
    return count;
  }

  /** Absent gives `absent`, null gives null. */
  sizeOrNull(key: string, absent: number | null): number | null {
    const value = this.raw(key);
    if (value === undefined) return absent;
    return value === null ? null : this.size(key, 0);
  }

  /** A finite number > 0. */
  positive(key: string, absent: number | undefined): number {
    const value = this.raw(key) === undefined ? absent : this.raw(key);
    if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0) {
      return this.fail(key, `must be a number above 0, found ${shown(value)}`);
    }
    return value;
  }

  positiveOrNull(key: string, absent: number | null): number | null {
    const value = this.raw(key);
    if (value === undefined) return absent;
    return value === null ? null : this.positive(key, undefined);
  }

  flag(key: string, absent: boolean): boolean {
    const value = this.raw(key) === undefined ? absent : this.raw(key);
    if (typeof value !== 'boolean') {
      return this.fail(key, `must be true or false, found ${shown(value)}`);
    }
    return value;
  }

  /** Refuses a switch that would change the computation in a way this package does not do. */
  mustBeOff(key: string, meaning: string): void {
    const value = this.raw(key);
    if (value === undefined || value === null || value === false) return;
    throw new SafeInferError(
      `config.json: '${this.#path}${key}' is ${shown(value)}: ${meaning} is not supported`,
      {
        code: 'UNSUPPORTED',
        hint: 'use a causal language model checkpoint with this switch off',
      },
    );
  }

  text(key: string, absent: string): string {
    const value = this.raw(key) === undefined ? absent : this.raw(key);
    if (typeof value !== 'string') return this.fail(key, `must be a text, found ${shown(value)}`);
    return value;
  }

  /** Finite numbers above 0. */
  positives(key: string): number[] {
    const value = this.raw(key);
    if (!Array.isArray(value)) return this.fail(key, `must be a list, found ${shown(value)}`);
    return value.map((item: unknown) => {
      if (typeof item === 'number' && Number.isFinite(item) && item > 0) return item;
      return this.fail(key, `must hold numbers above 0, found ${shown(item)}`);
    });
  }

  /** The object under a key, or undefined when absent or null. */
  object(key: string): ConfigReader | undefined {
    const value = this.raw(key);
    if (value === undefined || value === null) return undefined;
    if (!isObject(value)) return this.fail(key, `must be an object, found ${shown(value)}`);
    return new ConfigReader(value, `${this.#path}${key}.`);
  }

  /** One token id or null. */
  tokenId(key: string, absent: number | null): number | null {
    const ids = this.tokenIds(key, absent === null ? [] : [absent]);
    if (ids.length > 1) return this.fail(key, `must be one id, found ${ids.length}`);
    return ids[0] ?? null;
  }

  /** Token ids given as a number, a list, or null. */
  tokenIds(key: string, absent: readonly number[]): number[] {
    const value = this.raw(key);
    if (value === undefined) return [...absent];
    if (value === null) return [];
    return (Array.isArray(value) ? value : [value]).map((id: unknown) => {
      if (typeof id === 'number' && Number.isInteger(id) && id >= 0 && id <= maxSize) return id;
      return this.fail(key, `must be token ids, found ${shown(id)}`);
    });
  }
}
