// What plans refuse, and what they say they will do.
import '@tensorflow/tfjs-backend-cpu';
import { createRandomModel, type Transformer } from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { common, onlyTokens, topK } from '../formula/candidate-set.ts';
import { combine, firstSteps, term, weighted, within } from '../formula/expr.ts';
import { lma } from '../formula/lma-parser.ts';
import { contrastiveFormula, safeDecodingFormula, safeInferFormula } from '../recipes/formulas.ts';
import { generate } from '../run/generate.ts';
import { compile } from './plan.ts';

/** A tokenizer that adds `shift` to character codes. */
const codec = (shift: number) => ({
  encode: (text: string) => Array.from(text, (c) => (c.charCodeAt(0) + shift) % 64),
  decode: (ids: readonly number[]) => String.fromCharCode(...ids),
});
const models: Transformer[] = [];
function model(vocabSize: number, shift: number): Transformer {
  const made = createRandomModel({ config: { vocabSize }, seed: 1, tokenizer: codec(shift) });
  models.push(made);
  return made;
}
beforeAll(() => tf.setBackend('cpu'));
afterAll(() => {
  for (const made of models) made.dispose();
});

describe('compile', () => {
  it('refuses different tokenizers, and cuts a padded vocabulary to the shorter one', async () => {
    const a = term('a', { model: model(64, 0) });
    const b = term('b', { model: model(64, 1) });
    expect(() => compile(safeInferFormula(a, b))).toThrowError(/different tokenizers/);
    const padded = compile(safeInferFormula(term('wide', { model: model(72, 0) }), a));
    expect(padded.vocabSize).toBe(64);
    const { completions } = await generate({ plan: padded, prompts: [[1, 2]], maxNewTokens: 12 });
    expect(completions[0]?.tokens.every((token) => token < 64)).toBe(true);
  });

  it('refuses terms without a model and sets without a token', () => {
    const a = term('a', { model: model(64, 0) });
    expect(() => compile(term('ghost'))).toThrowError(/has no model/);
    expect(() => compile(within(onlyTokens([]), a))).toThrowError(/0 allowed tokens/);
    expect(() => compile(within(onlyTokens([64, 99]), a))).toThrowError(/no allowed token/);
    expect(() => compile(within(topK(a, 0), a))).toThrowError(/set of 0 tokens/);
    expect(() => compile(within(common(a, a, 1.5), a))).toThrowError(/set of 1.5 tokens/);
    expect(() => compile(firstSteps(-1, a, a))).toThrowError(/schedule/);
    expect(() => compile(combine(weighted(-1, a)))).toThrowError(/no positive weight/);
    expect(() => compile(lma('a - a', { a }))).toThrowError(/norm/);
  });

  it('explains terms, phases, methods and skip rules', () => {
    const one = model(64, 0);
    const [base, expert] = [
      term('base', { model: one }),
      term('expert', { model: one, prompt: { prefix: [1] } }),
    ];
    const text = compile(safeDecodingFormula(base, expert)).explain();
    expect(text).toContain('expert: the model, its own prefix');
    expect(text).toContain('from generated token 2: base');
    expect(text).toContain('one pass over the candidate tokens only');
    expect(compile(contrastiveFormula(base, expert)).explain()).toContain('leaves one candidate');
    const sum = compile(combine(weighted(2, base), weighted(-1, expert)));
    expect(sum.explain()).toContain('every term runs at every token');
    expect(sum.skipRules).toEqual([undefined]);
    const two = compile(safeInferFormula(base, term('other', { model: model(64, 0) })));
    expect(two.explain()).toContain('over 2 models');
  });
});
