// A strict one-pass reader over the JSON text of a safetensors header.
import type { SafeInferError } from '@safeinfer/backend';
import { badSafetensors, quoted } from './bad-safetensors.ts';

/** Unknown fields of a tensor entry are skipped, as upstream does, but not to any depth. */
const maxSkipDepth = 32;
const whitespace: ReadonlySet<string> = new Set([' ', '\t', '\n', '\r']);
const literals: readonly string[] = ['true', 'false', 'null'];
const numberPattern = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;

/**
 * A one-pass reader over the header text. `JSON.parse` would keep the last of two equal keys, accept
 * `1.0` as an index, and build whatever nesting the file asks for; this builds only what is legal.
 */
export class HeaderCursor {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** The next character that is not white space, without consuming it. */
  peek(): string {
    while (whitespace.has(this.#text.charAt(this.#at))) this.#at += 1;
    return this.#text.charAt(this.#at);
  }

  /** Reads `{...}`, calling `entry` with each key, which must consume the value. */
  object(entry: (key: string) => void): void {
    this.#expect('{');
    if (this.peek() === '}') {
      this.#at += 1;
      return;
    }
    for (;;) {
      if (this.peek() !== '"') throw this.#unexpected('a string key');
      const key = this.string();
      this.#expect(':');
      entry(key);
      if (this.peek() === ',') this.#at += 1;
      else break;
    }
    this.#expect('}');
  }

  string(): string {
    if (this.peek() !== '"') throw this.#unexpected('a string');
    const start = this.#at;
    let at = start + 1;
    let escaped = false;
    for (;;) {
      const code = this.#text.charCodeAt(at);
      if (Number.isNaN(code) || code < 0x20) throw this.#unexpected('the end of a string');
      if (code === 0x22) break;
      if (code === 0x5c) {
        escaped = true;
        at += 1;
      }
      at += 1;
    }
    this.#at = at + 1;
    if (!escaped) return this.#text.slice(start + 1, at);
    let value: unknown;
    try {
      value = JSON.parse(this.#text.slice(start, at + 1));
    } catch {
      throw badSafetensors(`bad escape in a string at header byte ${start}`);
    }
    // Escapes can smuggle lone surrogates, which no UTF-8 string holds.
    if (typeof value !== 'string' || /[\ud800-\udfff]/u.test(value)) {
      throw badSafetensors(`bad escape in a string at header byte ${start}`);
    }
    return value;
  }

  /** Reads an array of at most `limit` non-negative safe integers. */
  naturals(limit: number): number[] {
    const values: number[] = [];
    this.#expect('[');
    if (this.peek() === ']') {
      this.#at += 1;
      return values;
    }
    for (;;) {
      const literal = this.#number();
      const value = /^\d+$/.test(literal) ? Number(literal) : Number.NaN;
      if (!Number.isSafeInteger(value)) {
        throw badSafetensors(`${quoted(literal)} is not a non-negative safe integer`);
      }
      if (values.length === limit)
        throw badSafetensors(`an array holds more than ${limit} numbers`);
      values.push(value);
      if (this.peek() === ',') this.#at += 1;
      else break;
    }
    this.#expect(']');
    return values;
  }

  skipValue(depth: number = maxSkipDepth): void {
    if (depth === 0) throw badSafetensors(`the header nests deeper than ${maxSkipDepth} levels`);
    const next = this.peek();
    if (next === '"') this.string();
    else if (next === '{') this.object(() => this.skipValue(depth - 1));
    else if (next === '[') this.#skipArray(depth);
    else {
      const literal = literals.find((word) => this.#text.startsWith(word, this.#at));
      if (literal === undefined) this.#number();
      else this.#at += literal.length;
    }
  }

  #skipArray(depth: number): void {
    this.#expect('[');
    if (this.peek() !== ']') {
      this.skipValue(depth - 1);
      while (this.peek() === ',') {
        this.#at += 1;
        this.skipValue(depth - 1);
      }
    }
    this.#expect(']');
  }

  /** Nothing but the padding that the format allows may follow: spaces, not NUL, not line ends. */
  finish(): void {
    while (this.#text.charCodeAt(this.#at) === 0x20) this.#at += 1;
    if (this.#at === this.#text.length) return;
    const code = this.#text.charCodeAt(this.#at).toString(16).padStart(2, '0');
    throw badSafetensors(
      `the header is padded with byte 0x${code}; only spaces may follow the JSON`,
    );
  }

  #number(): string {
    this.peek();
    numberPattern.lastIndex = this.#at;
    const match = numberPattern.exec(this.#text);
    if (match === null) throw this.#unexpected('a number');
    this.#at += match[0].length;
    return match[0];
  }

  #expect(character: string): void {
    if (this.peek() !== character) throw this.#unexpected(`'${character}'`);
    this.#at += 1;
  }

  #unexpected(wanted: string): SafeInferError {
    const found = this.#at >= this.#text.length ? 'its end' : quoted(this.#text.charAt(this.#at));
    return badSafetensors(
      `the header has ${found} at position ${this.#at} where ${wanted} belongs`,
    );
  }
}
