// Speculative sampling draws from the exact distribution, for 2, 3 and 4 terms: chi-square over pairs of tokens.
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Expr, term } from '../formula/expr.ts';
import { evaluateLiteral } from '../formula/literal.ts';
import { lma } from '../formula/lma-parser.ts';
import { compile } from '../plan/plan.ts';
import { generate } from './generate.ts';
import { type TestModel, testModel } from './models.fixture.ts';

// Real forwards in plain JavaScript: minutes on a busy machine.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const V = 8;
const DRAWS = 8_000;
/** 99.9th percentile of chi-square with V * V - 1 = 63 degrees of freedom. */
const LIMIT = 103.4;
const prompt = [1, 5, 2];
const adapters = { a: undefined, b: 'unsafe', c: 'other', d: 'third' } as const;
let test: TestModel;
beforeAll(async () => {
  await tf.setBackend('cpu');
  test = testModel({ vocabSize: V, sharp: 0.7, seed: 12 });
});
afterAll(() => test[Symbol.dispose]());

function terms(): Record<keyof typeof adapters, Expr> {
  const make = (id: keyof typeof adapters): Expr => {
    const adapter = adapters[id];
    return term(id, { model: test.model, ...(adapter === undefined ? {} : { adapter }) });
  };
  return { a: make('a'), b: make('b'), c: make('c'), d: make('d') };
}

function exact(expr: Expr, tokens: readonly number[]): number[] {
  const logits = Object.entries(adapters).map(([id, adapter]) => {
    using result = test.model.forward([{ tokens, ...(adapter === undefined ? {} : { adapter }) }]);
    return [id, result.lastLogits().dataSync() as Float32Array] as const;
  });
  return [...evaluateLiteral(expr, Object.fromEntries(logits))].map(Math.exp);
}

/** Probability of every pair of first and second token. */
function pairs(expr: Expr): Float64Array {
  const first = exact(expr, prompt);
  return Float64Array.from(first.flatMap((p, x) => exact(expr, [...prompt, x]).map((q) => p * q)));
}

function chiSquare(counts: Float64Array, probabilities: Float64Array): number {
  return counts.reduce((chi, n, i) => {
    const want = DRAWS * (probabilities[i] as number);
    return chi + (n - want) ** 2 / want;
  }, 0);
}

describe.each([
  [2, 'a - 0.8*union(b, a)', 'a'],
  [3, 'a + 0.7*c - 0.6*union(b, a)', 'a - 0.6*union(b, a)'],
  [4, 'a + b + 0.5*c - 0.8*d', 'a + b + 0.5*c'],
])('%i terms', (_count, source, incomplete) => {
  it(`draws from ${source}`, async () => {
    const expr = lma(source, terms());
    const { completions, stats } = await generate({
      plan: compile(expr),
      prompts: [prompt],
      n: DRAWS,
      batchSize: 400,
      maxNewTokens: 2,
      sampling: { temperature: 1 },
      seed: 77,
      speculate: 3,
      attribution: 'none',
    });
    const counts = new Float64Array(V * V);
    for (const { tokens } of completions) {
      const cell = (tokens[0] as number) * V + (tokens[1] as number);
      counts[cell] = (counts[cell] as number) + 1;
    }
    const drafted = Object.values(stats.terms);
    expect(drafted.some((t) => t.rejected > 0)).toBe(true);
    expect(drafted.some((t) => t.accepted > 0)).toBe(true);
    expect(chiSquare(counts, pairs(expr))).toBeLessThan(LIMIT);
    // Negative control: the same counts against the formula without one of its terms.
    expect(chiSquare(counts, pairs(lma(incomplete, terms())))).toBeGreaterThan(2 * LIMIT);
  });
});
