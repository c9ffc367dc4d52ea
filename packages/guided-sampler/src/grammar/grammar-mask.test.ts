// Grammars through the real engine: every answer parses, drafts roll back, unsatisfiable schemas are refused.
import '@tensorflow/tfjs-backend-cpu';
import { createRandomModel, type Transformer } from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { term } from '../formula/expr.ts';
import { compile } from '../plan/plan.ts';
import { safeInferFormula } from '../recipes/formulas.ts';
import { generate } from '../run/generate.ts';
import { checkSchema } from './check-schema.ts';
import { grammarMask, jsonSchemaMask } from './grammar-mask.ts';

// Real forwards in plain JavaScript: minutes on a busy machine.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

/** One token per printable ASCII character, some words, and an end token: enough to write any JSON. */
const WORDS = ['true', 'false', 'null', '"name"', '":', '{"', '"}', 'ab', 'yes', 'no'];
const EOS = 0;
const entries = [
  '<eos>',
  ...Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)),
  ...WORDS,
];
const tokenizer = {
  encode: (text: string) => Array.from(text, (c) => entries.indexOf(c)),
  decode: (ids: readonly number[]) =>
    ids.map((id) => (id === EOS ? '' : (entries[id] ?? ''))).join(''),
  vocabEntry: (id: number) => entries[id],
  allSpecialIds: new Set([EOS]),
};
const vocabulary = { tokenizer, vocabSize: entries.length, stopTokens: [EOS] };
const schema = {
  type: 'object',
  properties: {
    name: { type: 'string', maxLength: 6 },
    age: { type: 'integer', minimum: 0, maximum: 99 },
    kind: { enum: ['cat', 'dog'] },
  },
  required: ['name', 'age', 'kind'],
  additionalProperties: false,
} as const;

let model: Transformer;
let other: Transformer;
beforeAll(async () => {
  await tf.setBackend('cpu');
  model = createRandomModel({ config: { vocabSize: entries.length }, seed: 3, tokenizer });
  other = createRandomModel({ config: { vocabSize: entries.length }, seed: 4, tokenizer });
});
afterAll(() => {
  model.dispose();
  other.dispose();
});
const plan = () =>
  compile(
    safeInferFormula(term('safe', { model }), term('unsafe', { model: other }), { lambda: 0.5 }),
  );
const base = {
  prompts: ['Make JSON: ', 'Another: ', 'x'],
  maxNewTokens: 80,
  seed: 1,
  stopTokens: [EOS],
};

describe('JSON schema masks', () => {
  it('yields JSON that satisfies the schema, from any formula, greedy and sampled', async () => {
    const grammar = await jsonSchemaMask({ ...vocabulary, schema });
    const texts = new Set<string>();
    for (const sampling of [{}, { temperature: 1.5 }, { temperature: 1, topK: 5 }]) {
      const { completions } = await generate({ ...base, plan: plan(), grammar, sampling });
      for (const { text, reason } of completions) {
        expect(reason).toBe('stop');
        const value = JSON.parse(text) as { name: string; age: number; kind: string };
        expect(Object.keys(value)).toEqual(['name', 'age', 'kind']);
        expect(value.name.length).toBeLessThanOrEqual(6);
        expect(Number.isInteger(value.age) && value.age >= 0 && value.age <= 99).toBe(true);
        expect(['cat', 'dog']).toContain(value.kind);
        texts.add(text);
      }
    }
    expect(texts.size).toBeGreaterThan(3);
  });

  it('gives the same answers with speculation, which has to roll grammars back', async () => {
    const grammar = await jsonSchemaMask({ ...vocabulary, schema });
    const options = { ...base, plan: plan(), grammar, sampling: { temperature: 1.3 } };
    const want = await generate(options);
    const got = await generate({ ...options, speculate: 4 });
    expect(got.completions.map((c) => c.text)).toEqual(want.completions.map((c) => c.text));
    expect(got.stats.terms['unsafe']?.rejected).toBeGreaterThan(0);
  });

  it('skips every model where the grammar leaves one token', async () => {
    const grammar = await jsonSchemaMask({ ...vocabulary, schema });
    const { completions, stats } = await generate({ ...base, plan: plan(), grammar });
    const tokens = completions.reduce((n, c) => n + c.tokens.length, 0);
    expect(stats.terms['safe']?.forwards).toBeLessThan(tokens);
    expect(stats.terms['safe']?.skipped).toBeGreaterThan(10);
  });

  it.each([
    [false, /accepts nothing/],
    [{ enum: [] }, /empty enum/],
    [{ type: 'integer', minimum: 5, maximum: 3 }, /minimum 5 is above maximum 3/],
    [{ type: 'foo' }, /unknown type/],
    [{ properties: { a: { type: 'array', minItems: 3, maxItems: 1 } } }, /\/properties\/a/],
    [{ properties: { a: false }, required: ['a'] }, /required property "a"/],
  ])('refuses %j, which nothing satisfies', async (wrong, message) => {
    await expect(jsonSchemaMask({ ...vocabulary, schema: wrong })).rejects.toThrowError(message);
  });

  it('refuses keywords that the engine would ignore', () => {
    const ignored = { allOf: [{ type: 'string' }, { type: 'integer' }] };
    expect(() => checkSchema(ignored)).toThrowError(
      expect.objectContaining({ code: 'UNSUPPORTED' }),
    );
    expect(() => checkSchema({ not: { type: 'string' } })).toThrowError(/"not"/);
  });
});

describe('EBNF grammars', () => {
  it('allows nothing else', async () => {
    const grammar = await grammarMask({
      ...vocabulary,
      ebnf: 'root ::= ("yes" | "no") " " [a-c]+ "!"',
    });
    const { completions } = await generate({
      ...base,
      maxNewTokens: 200,
      plan: plan(),
      grammar,
      n: 2,
      sampling: { temperature: 1 },
    });
    for (const { text } of completions) expect(text).toMatch(/^(yes|no) [abc]+!$/);
  });

  it('refuses a syntax error', async () => {
    await expect(grammarMask({ ...vocabulary, ebnf: 'root ::= "zzz' })).rejects.toMatchObject({
      code: 'BAD_ARGUMENT',
    });
  });

  it('refuses a grammar that the vocabulary cannot write', async () => {
    const grammar = await grammarMask({ ...vocabulary, ebnf: 'root ::= "\\u00e9"' });
    await expect(generate({ ...base, plan: plan(), grammar })).rejects.toMatchObject({
      code: 'BAD_ARGUMENT',
    });
  });
});
