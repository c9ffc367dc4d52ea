import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson, contentHash, sha256 } from './canonical-hash.ts';
import { HarmEvalError } from './harm-eval-error.ts';

describe('canonicalJson', () => {
  it('does not depend on the order of keys or on undefined members', () => {
    expect(canonicalJson({ b: [1, { d: null, c: 'x' }], a: undefined })).toBe(
      '{"b":[1,{"c":"x","d":null}]}',
    );
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const reversed = Object.fromEntries(Object.entries(value).reverse());
        expect(contentHash(reversed)).toBe(contentHash(value));
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
      { seed: 7 },
    );
  });

  it('refuses what has no identity', () => {
    for (const value of [Number.NaN, () => 1, 1n, { a: Number.POSITIVE_INFINITY }]) {
      expect(() => canonicalJson(value)).toThrow(expect.objectContaining({ code: 'BAD_ARGUMENT' }));
    }
  });
});

describe('sha256', () => {
  it('is SHA-256 (FIPS 180-2 test vector)', () => {
    expect(sha256('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  });
});

describe('HarmEvalError', () => {
  it('is recognised by its marker', () => {
    const error = new HarmEvalError('x', { code: 'BAD_FILE', hint: 'y' });
    expect(HarmEvalError.isInstance({ ...error })).toBe(true);
    expect(HarmEvalError.isInstance(new Error('x'))).toBe(false);
  });
});
