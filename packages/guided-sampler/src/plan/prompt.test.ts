// Framing of prompts per term: prefixes after BOS, system messages, maps by term, refusals.
import type { Transformer } from '@safeinfer/transformer';
import { describe, expect, it } from 'vitest';
import { type PromptInput, type PromptRule, promptTokens } from './prompt.ts';

const tokenizer = {
  encode: (text: string) => [0, ...Array.from(text, (c) => c.charCodeAt(0))],
  decode: (ids: readonly number[]) => String.fromCharCode(...ids),
};
// Only what prompts read of a model: its BOS id and its tokenizer.
const model = { config: { bosTokenId: 0 }, tokenizer } as unknown as Transformer;
const bare = { config: { bosTokenId: null }, tokenizer: undefined } as unknown as Transformer;
const tokens = (input: PromptInput, rule?: PromptRule, of = model) =>
  promptTokens(input, 'term', of, rule);

describe('promptTokens', () => {
  it('takes tokens as they are and encodes text', () => {
    expect(tokens([5, 6])).toEqual([5, 6]);
    expect(tokens('ab')).toEqual([0, 97, 98]);
  });

  it('puts a prefix after the beginning-of-text token, once', () => {
    expect(tokens([0, 5], { prefix: [8, 9] })).toEqual([0, 8, 9, 5]);
    expect(tokens([5], { prefix: [8] })).toEqual([8, 5]);
    expect(tokens('b', { prefix: 'a' })).toEqual([0, 97, 98]);
    expect(tokens([5], { prefix: [8] }, bare)).toEqual([8, 5]);
  });

  it('takes one prompt a term, and any framing as a function', () => {
    expect(tokens({ term: [1], other: [2] })).toEqual([1]);
    expect(tokens([1, 2, 3], (p) => (p as readonly number[]).slice(1))).toEqual([2, 3]);
  });

  it.each<[string, PromptInput, PromptRule | undefined, Transformer, RegExp]>([
    ['an empty prompt', [], undefined, model, /empty/],
    ['a map without the term', { other: [1] }, undefined, model, /no entry for term "term"/],
    ['an inherited name', {} as PromptInput, undefined, model, /no entry/],
    ['text without a tokenizer', 'a', undefined, bare, /without a tokenizer/],
    [
      'a chat without a template',
      [{ role: 'user', content: 'x' }],
      undefined,
      model,
      /chat template/,
    ],
    ['a system message for tokens', [1], { system: 'x' }, model, /not chat messages/],
  ])('refuses %s', (_name, input, rule, of, message) => {
    expect(() => tokens(input, rule, of)).toThrowError(message);
  });
});
