// Beam search against enumeration of every sequence.
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { term } from '../formula/expr.ts';
import { evaluateLiteral } from '../formula/literal.ts';
import { compile } from '../plan/plan.ts';
import { safeInferFormula } from '../recipes/formulas.ts';
import { beamSearch } from './beam-search.ts';
import { type TestModel, testModel } from './models.fixture.ts';

// Real forwards in plain JavaScript: minutes on a busy machine.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const V = 9;
const EOS = 4;
let test: TestModel;
beforeAll(async () => {
  await tf.setBackend('cpu');
  test = testModel({ vocabSize: V, sharp: 1, seed: 5 });
});
afterAll(() => test[Symbol.dispose]());

const formula = () =>
  safeInferFormula(
    term('safe', { model: test.model }),
    term('unsafe', { model: test.model, adapter: 'unsafe' }),
    { lambda: 0.5 },
  );

/** Log-probabilities of the next token, by full forwards and the literal formula. */
function next(tokens: readonly number[]): Float64Array {
  const run = (adapter?: string): Float32Array => {
    using result = test.model.forward([{ tokens, ...(adapter === undefined ? {} : { adapter }) }]);
    return result.lastLogits().dataSync() as Float32Array;
  };
  return evaluateLiteral(formula(), { safe: run(), unsafe: run('unsafe') });
}

describe('beamSearch', () => {
  it('finds the best sequences of all when no beam is cut', async () => {
    const prompt = [1, 2, 3];
    const all: { tokens: number[]; score: number }[] = [];
    const walk = (tokens: number[], logprob: number): void => {
      if (tokens.at(-1) === EOS || tokens.length === 3) {
        all.push({ tokens, score: logprob / tokens.length });
        return;
      }
      next([...prompt, ...tokens]).forEach((lp, token) => {
        walk([...tokens, token], logprob + lp);
      });
    };
    walk([], 0);
    all.sort((a, b) => b.score - a.score);
    const before = tf.memory().numTensors;
    const found = await beamSearch({
      plan: compile(formula()),
      prompt,
      beams: 80,
      maxNewTokens: 3,
      stopTokens: [EOS],
    });
    expect(tf.memory().numTensors).toBe(before);
    for (let i = 0; i < 20; i++) {
      expect(found[i]?.tokens).toEqual(all[i]?.tokens);
      expect(found[i]?.score).toBeCloseTo(all[i]?.score as number, 5);
    }
  });

  it('with one beam and no end token is greedy decoding', async () => {
    const prompt = [5, 6];
    const greedy: number[] = [];
    for (let i = 0; i < 6; i++) {
      const lp = next([...prompt, ...greedy]);
      greedy.push(lp.indexOf(Math.max(...lp)));
    }
    const [only] = await beamSearch({
      plan: compile(formula()),
      prompt,
      beams: 1,
      maxNewTokens: 6,
    });
    expect(only?.tokens).toEqual(greedy);
    expect(only?.finished).toBe(false);
  });

  it('never does worse with more beams than greedy, and obeys bans', async () => {
    const prompt = [7, 1];
    const options = { plan: compile(formula()), prompt, maxNewTokens: 5, ignoreEos: true };
    const [one] = await beamSearch({ ...options, beams: 1 });
    const [six] = await beamSearch({ ...options, beams: 6 });
    expect(six?.logprob as number).toBeGreaterThanOrEqual((one?.logprob as number) - 1e-6);
    const banned = one?.tokens[0] as number;
    const hypotheses = await beamSearch({
      ...options,
      beams: 3,
      sampling: { suppressTokens: [banned] },
    });
    expect(hypotheses.flatMap((h) => h.tokens)).not.toContain(banned);
  });

  it('refuses what makes no sense in a search', async () => {
    const options = { plan: compile(formula()), prompt: [1], maxNewTokens: 2 };
    await expect(beamSearch({ ...options, beams: 0 })).rejects.toMatchObject({
      code: 'BAD_ARGUMENT',
    });
    await expect(
      beamSearch({ ...options, beams: 2, sampling: { topP: 0.5 } }),
    ).rejects.toThrowError(/topP/);
  });
});
