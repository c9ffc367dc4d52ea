// Processors against transformers' own (goldens by tools/parity/guided_goldens.py), and llama.cpp's order.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { buildChain } from './chain.ts';
import type { SamplingOptions } from './sampling-options.ts';

interface Case {
  readonly name: string;
  readonly options: SamplingOptions;
  readonly logits: readonly number[];
  readonly history: readonly number[];
  readonly promptLength: number;
  readonly eos: number;
  readonly expected: readonly number[];
}
const golden = JSON.parse(
  readFileSync(new URL('../../fixtures/processors.json', import.meta.url), 'utf8'),
) as { readonly removed: number; readonly hf: readonly Case[]; readonly llama: readonly Case[] };

describe.each([
  ['Hugging Face', golden.hf],
  ['llama.cpp', golden.llama],
] as const)('%s order', (_, cases) => {
  it.each(cases.map((item) => [item.name, item] as const))('%s', (_name, item) => {
    const scores = Float32Array.from(item.logits);
    const context = {
      history: item.history,
      promptLength: item.promptLength,
      step: item.history.length - item.promptLength,
    };
    buildChain(item.options, [item.eos]).apply(scores, context);
    item.expected.forEach((want, i) => {
      if (want === golden.removed) expect(scores[i], `token ${i}`).toBe(Number.NEGATIVE_INFINITY);
      else expect(scores[i], `token ${i}`).toBeCloseTo(want, 4);
    });
  });
});

describe('the chain', () => {
  it('negative control: the two orders differ where temperature meets top-p', () => {
    const logits = Float32Array.from([2, 1.5, 1, 0.5, 0, -0.5]);
    const options = { temperature: 0.3, topP: 0.9 } as const;
    const context = { history: [0], promptLength: 1, step: 0 };
    const [hf, llama] = [logits.slice(), logits.slice()];
    buildChain(options).apply(hf, context);
    buildChain({ ...options, order: 'llama.cpp' }).apply(llama, context);
    const kept = (s: Float32Array): number => s.filter((v) => v > Number.NEGATIVE_INFINITY).length;
    expect(kept(hf)).toBeLessThan(kept(llama));
  });

  it('counts generated tokens only for presence and frequency, as OpenAI does', () => {
    const scores = Float32Array.from([1, 1, 1]);
    buildChain({ presencePenalty: 0.5, frequencyPenalty: 0.25 }).apply(scores, {
      history: [0, 1, 1, 2],
      promptLength: 2,
      step: 2,
    });
    expect([...scores]).toEqual([1, 0.25, 0.25]);
  });

  it('forces a prefix even where it has no support', () => {
    const scores = Float32Array.from([3, Number.NEGATIVE_INFINITY, 1]);
    const chain = buildChain({ forcedPrefix: [1] });
    chain.apply(scores, { history: [0], promptLength: 1, step: 0 });
    expect([...scores]).toEqual([Number.NEGATIVE_INFINITY, 0, Number.NEGATIVE_INFINITY]);
    const later = Float32Array.from([3, 1]);
    chain.apply(later, { history: [0, 1], promptLength: 1, step: 1 });
    expect([...later]).toEqual([3, 1]);
  });

  it('penalises the continuation of repeats with DRY', () => {
    const scores = new Float32Array(6).fill(0);
    // "1 2 3 4 ... 1 2 3": 4 would extend a repeat of length 3.
    buildChain({ dry: { multiplier: 0.8 } }).apply(scores, {
      history: [1, 2, 3, 4, 5, 1, 2, 3],
      promptLength: 8,
      step: 0,
    });
    expect(scores[4]).toBeCloseTo(-0.8 * 1.75, 6);
    expect([0, 1, 2, 3, 5].map((i) => scores[i])).toEqual([0, 0, 0, 0, 0]);
  });

  it('skips truncation and temperature for greedy decoding', () => {
    const chain = buildChain({ topK: 3, repetitionPenalty: 1.1 });
    expect(chain.processors.map((p) => p.name)).toEqual(['repetition penalty']);
  });

  it('refuses unknown names and impossible numbers', () => {
    const wrong = { topP: 0, temprature: 1 } as unknown as SamplingOptions;
    expect(() => buildChain(wrong)).toThrowError(/topP.*temprature|temprature.*topP/);
  });
});
