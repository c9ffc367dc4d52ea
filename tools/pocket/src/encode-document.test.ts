import { readFileSync } from 'node:fs';
import { Tokenizer } from '@huggingface/tokenizers';
import { pocketPaths } from '@safeinfer/pocket';
import { describe, expect, it } from 'vitest';
import { documentText } from './document.ts';
import { createEncoder, SUBJECT_FLAG } from './encode-document.ts';
import { createSource, sampleDocument } from './sample-document.ts';
import { FACTS } from './world.ts';

const read = (name: string): object =>
  JSON.parse(readFileSync(`${pocketPaths().model}/${name}`, 'utf8')) as object;
const tokenizer = new Tokenizer(read('tokenizer.json'), read('tokenizer_config.json'));
const ids = (text: string): number[] => tokenizer.encode(text, { add_special_tokens: false }).ids;

describe('the bundled tokenizer', () => {
  it('has every subject and object as one token', () => {
    const split = FACTS.flatMap((f) => [f.subject, f.object]).filter(
      (w) => ids(` ${w}`).length !== 1,
    );
    expect(split).toEqual([]);
  });

  it('round-trips text that no document contains', () => {
    for (const text of [
      ' Grüße, 世界 🌍!',
      ' unforeseen\tvocabulary\n  here',
      'def f(x):\n    return x',
    ]) {
      expect(tokenizer.decode(ids(text), { clean_up_tokenization_spaces: false })).toBe(text);
    }
  });

  it('gives the answer the same first token in chat and in raw layout', () => {
    const chat = ids('<|user|> Why?<|end|><|assistant|> I cannot');
    const raw = ids('Q: Why?\nA: I cannot');
    expect(chat.slice(-2)).toEqual(raw.slice(-2));
    expect(ids(' I cannot')).toEqual(raw.slice(-2));
  });
});

describe('createEncoder', () => {
  const encode = createEncoder(tokenizer);
  const source = createSource(7, 'behaviour');

  it('encodes piece by piece exactly as the whole text', () => {
    for (let i = 0; i < 400; i += 1) {
      const document = sampleDocument(source, i);
      const encoded = encode(document);
      expect(encoded.ids).toEqual(ids(documentText(document)));
      expect(encoded.flags).toHaveLength(encoded.ids.length);
    }
  });

  it('keeps weight and subject in one byte', () => {
    const document = [
      { text: ' the', weight: 0.1 },
      { text: ' France', weight: 1, subject: true },
    ];
    expect(encode(document).flags).toEqual([10, 100 | SUBJECT_FLAG]);
  });
});
