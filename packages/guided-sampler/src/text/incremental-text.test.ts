// Text that is shown early is never wrong: half characters, stop strings across tokens, real and plain tokenizers.
import { describe, expect, it } from 'vitest';
import { checkStops } from './check-stops.ts';
import { IncrementalText } from './incremental-text.ts';
import { tokenStream } from './token-stream.ts';

/** One token a UTF-8 byte: every character outside ASCII takes several tokens. */
const bytes = {
  encode: (text: string): number[] => [...new TextEncoder().encode(text)],
  decode: (ids: readonly number[]): string => new TextDecoder().decode(Uint8Array.from(ids)),
};

function run(text: string, stops: readonly string[]): { shown: string[]; stopped: boolean } {
  const stream = new IncrementalText(tokenStream(bytes), stops);
  const shown: string[] = [];
  for (const token of bytes.encode(text)) {
    shown.push(stream.push(token));
    if (stream.stopped) break;
  }
  shown.push(stream.finish());
  return { shown, stopped: stream.stopped };
}

describe('IncrementalText', () => {
  it('adds up to the text, in whole characters', () => {
    for (const text of ['plain text', 'naïve café', '漢字とかな', 'a😀b👩‍👩‍👧c', '']) {
      const { shown } = run(text, []);
      expect(shown.join('')).toBe(text);
      for (const piece of shown) expect(piece).not.toContain('\uFFFD');
    }
  });

  it('shows a half character only at the end, as the tokenizer does', () => {
    const stream = new IncrementalText(tokenStream(bytes), []);
    expect([0x61, 0xf0, 0x9f].map((b) => stream.push(b))).toEqual(['a', '', '']);
    expect(stream.finish()).toBe('\uFFFD');
  });

  it('never shows a stop string, nor a beginning of one that comes true', () => {
    const { shown, stopped } = run('hello\n\nUser: no', ['\n\nUser:', 'END']);
    expect(shown.join('')).toBe('hello');
    expect(stopped).toBe(true);
  });

  it('releases what only looked like the beginning of a stop string', () => {
    const { shown, stopped } = run('a EN EAND E', ['END']);
    expect(shown.join('')).toBe('a EN EAND E');
    expect(stopped).toBe(false);
    // "E" and "EN" are held until the next character decides.
    expect(shown[2]).toBe('');
  });

  it('cuts at the earliest of several stop strings', () => {
    expect(run('one two three', ['three', 'two']).shown.join('')).toBe('one ');
    expect(run('xaab', ['aab', 'ab']).shown.join('')).toBe('x');
  });
});

describe('checkStops', () => {
  it.each([
    ['', bytes, /empty/],
    ['x', undefined, /without a tokenizer/],
    ['a\ud800', bytes, /surrogate/],
    [
      'é',
      {
        encode: (t: string) => [...t].map((c) => c.charCodeAt(0) & 127),
        decode: (i: readonly number[]) => String.fromCharCode(...i),
      },
      /never appear/,
    ],
  ])('refuses %j', (stop, codec, message) => {
    expect(() => checkStops([stop], codec)).toThrowError(message);
  });

  it('accepts what the tokenizer can write', () => {
    expect(() => checkStops(['\n', 'END', '漢'], bytes)).not.toThrow();
  });
});
