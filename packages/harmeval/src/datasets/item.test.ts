import { describe, expect, it } from 'vitest';
import { itemId, normalisePrompt } from './item.ts';

describe('itemId', () => {
  it('is a hash that other languages compute as well, blind to case, spaces and Unicode form', () => {
    // python: hashlib.sha256('{"dataset":"d","prompt":"héllo world","revision":"r"}'.encode()).hexdigest()[:24]
    const expected = 'b78ad96eb75dcb0e40af275b';
    const id = (prompt: string) => itemId({ dataset: 'd', revision: 'r', prompt });
    expect(id('h\u00e9llo world')).toBe(expected);
    expect(id('  H\u0065\u0301llo \n  World ')).toBe(expected);
    expect(id('hello world')).not.toBe(expected);
  });

  it('tells dataset, revision and context apart', () => {
    const base = { dataset: 'd', revision: 'r', prompt: 'p' };
    const ids = [
      base,
      { ...base, dataset: 'e' },
      { ...base, revision: 's' },
      { ...base, context: 'c' },
    ].map(itemId);
    expect(new Set(ids).size).toBe(4);
  });
});

describe('normalisePrompt', () => {
  it('keeps punctuation: it can change a question', () => {
    expect(normalisePrompt('Kill it?')).not.toBe(normalisePrompt('Kill it'));
  });
});
