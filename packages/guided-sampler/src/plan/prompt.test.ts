// Framing of prompts per term: prefixes after BOS, system messages, maps by term, refusals.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadTokenizer, type Tokenizer, type Transformer } from '@safeinfer/transformer';
import { beforeAll, describe, expect, it } from 'vitest';
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

describe('a text prefix on a SentencePiece tokenizer, which puts a space before every text', () => {
  const file = '../../../transformer/src/tokenizer/fixtures/spm-llama.json';
  const template =
    "{{ bos_token }}{% for m in messages %}{{ '[' + m['content'] + ']' }}{% endfor %}{% if add_generation_prompt %}{{ ' ' }}{% endif %}";
  let spm: Tokenizer;
  let of: Transformer;
  beforeAll(async () => {
    const directory = mkdtempSync(join(tmpdir(), 'safeinfer-prefix-'));
    try {
      const { tokenizer: json } = JSON.parse(readFileSync(new URL(file, import.meta.url), 'utf8'));
      writeFileSync(join(directory, 'tokenizer.json'), JSON.stringify(json));
      const config = { bos_token: '<s>', eos_token: '</s>', chat_template: template };
      writeFileSync(join(directory, 'tokenizer_config.json'), JSON.stringify(config));
      spm = await loadTokenizer(directory);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
    of = { config: { bosTokenId: spm.specialIds.bos }, tokenizer: spm } as unknown as Transformer;
  });

  it.each(['Be brief.\n\n', 'Be brief. '])('is one text with the prompt: %j', (prefix) => {
    const made = tokens('the fox', { prefix }, of);
    expect(made).toEqual(spm.encode(`${prefix}the fox`));
    expect(spm.decode(made, { skipSpecialTokens: true })).toBe(`${prefix}the fox`);
    // The control: tokens joined read back with a space that nobody wrote.
    const joined = tokens(spm.encode('the fox'), { prefix }, of);
    expect(spm.decode(joined, { skipSpecialTokens: true })).toBe(`${prefix} the fox`);
  });

  it('stands behind the start token of a chat, whoever rendered it', () => {
    const wanted = spm.encode('<s>Be brief. [the fox] ', { addSpecialTokens: false });
    const rule = { prefix: 'Be brief. ' };
    expect(wanted.filter((id) => id === spm.specialIds.bos)).toHaveLength(1);
    expect(tokens([{ role: 'user', content: 'the fox' }], rule, of)).toEqual(wanted);
    expect(tokens('<s>[the fox] ', rule, of)).toEqual(wanted);
  });

  it('leaves a text that is scored the tokens it has alone', () => {
    const alone = spm.encode('the fox');
    const rule = { prefix: 'Be brief.\n\n' };
    const made = promptTokens('the fox', 'term', of, rule, { keepTokens: true });
    expect(made.slice(1 - alone.length)).toEqual(alone.slice(1));
    expect(tokens('the fox', rule, of).slice(1 - alone.length)).not.toEqual(alone.slice(1));
  });
});
