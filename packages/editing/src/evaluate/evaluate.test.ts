import { readFileSync } from 'node:fs';
import { useBackend } from '@safeinfer/backend';
import type { Transformer } from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { figure } from '../../test/figures.ts';
import { loadGoldenModel } from '../../test/golden-model.ts';
import { type CaseScores, scoreCounterFact, summariseCounterFact } from './counterfact.ts';
import { fitTfIdf, fluencyEntropy, ngramEntropy, tfIdfCosine } from './fluency.ts';
import { perplexities } from './score-targets.ts';
import { localityAccuracy, predictedTokens, tokenAccuracy } from './token-accuracy.ts';
import { treebankTokens } from './treebank-tokens.ts';

interface Part {
  readonly prompts: readonly (readonly number[])[];
  readonly rows: readonly {
    readonly nll_new: number;
    readonly nll_true: number;
    readonly success: boolean;
    readonly magnitude: number;
    readonly accuracy: boolean;
  }[];
}

/** By nltk, scikit-learn and float64 forwards. */
const golden = JSON.parse(
  readFileSync(new URL('../../fixtures/metrics.json', import.meta.url), 'utf8'),
) as {
  readonly fluency: readonly {
    readonly text: string;
    readonly tokens: readonly string[];
    readonly bigram: number;
    readonly trigram: number;
    readonly entropy: number;
  }[];
  readonly consistency: {
    readonly corpus: readonly string[];
    readonly idf: Readonly<Record<string, number>>;
    readonly pairs: readonly {
      readonly generated: readonly string[];
      readonly reference: readonly string[];
      readonly cosine: number;
    }[];
  };
  readonly counterfact: {
    readonly cases: readonly {
      readonly target_new: readonly number[];
      readonly target_true: readonly number[];
      readonly rewrite: Part;
      readonly paraphrase: Part;
      readonly neighborhood: Part;
    }[];
    readonly summary: Readonly<Record<string, number>>;
  };
  readonly teacher_forced: readonly {
    readonly prompt_ids: readonly number[];
    readonly target_ids: readonly number[];
    readonly accuracy: number;
  }[];
  readonly perplexity: readonly {
    readonly ids: readonly number[];
    readonly rome: number;
    readonly usual: number;
  }[];
};

describe('checks 30, 31: fluency', () => {
  it.each(golden.fluency)('of "$text"', ({ text, tokens, bigram, trigram, entropy }) => {
    expect(treebankTokens(text)).toEqual(tokens);
    // The whole function where a text is one sentence for both splitters.
    if (text.match(/[.!?]/g)?.length === 1) {
      const away = Math.abs(fluencyEntropy(text) - entropy);
      expect(figure(30, 'entropy against nltk, absolute', away)).toBeLessThan(1e-12);
    }
    expect(ngramEntropy(tokens, 2)).toBeCloseTo(bigram, 12);
    expect(ngramEntropy(tokens, 3)).toBeCloseTo(trigram, 12);
    expect(((2 / 3) * bigram + (4 / 3) * trigram) / 2).toBeCloseTo(entropy, 12);
  });

  it('check 30: is zero for repetition and for nothing, and the hand case of four words', () => {
    expect(fluencyEntropy('a a a a a a')).toBe(0);
    expect(fluencyEntropy('')).toBe(0);
    // Three bigrams and two trigrams, all different.
    expect(fluencyEntropy('a b c d')).toBeCloseTo((2 / 3) * Math.log2(3) * 0.5 + (4 / 3) * 0.5, 12);
  });
});

describe('check 31: consistency', () => {
  const { corpus, idf, pairs } = golden.consistency;
  const fitted = fitTfIdf(corpus);

  it("has scikit-learn's vocabulary and weights", () => {
    expect([...fitted.idf.keys()].sort()).toEqual(Object.keys(idf).sort());
    for (const [word, weight] of fitted.idf)
      expect(figure(31, 'idf, absolute', Math.abs(weight - idf[word]!))).toBeLessThan(1e-9);
  });

  it.each(pairs)('cosine $cosine', ({ generated, reference, cosine }) => {
    const ours = tfIdfCosine(fitted, generated.join(' '), reference.join(' '));
    expect(figure(31, 'cosine, absolute', Math.abs(ours - cosine))).toBeLessThan(1e-9);
  });
});

describe('metrics on tiny gpt2', () => {
  let model: Transformer;
  beforeAll(async () => {
    await useBackend({ name: 'ort', threads: 1 });
    model = await loadGoldenModel('gpt2');
  });
  afterAll(() => model.dispose());

  it('check 30: CounterFact: NLLs, success, magnitude, accuracy and their summary; a tie is a failure', async () => {
    const before = tf.memory().numTensors;
    const scores = await scoreCounterFact(
      model,
      golden.counterfact.cases.map(({ target_new, target_true, ...parts }) => ({
        targetNew: target_new,
        targetTrue: target_true,
        rewrite: parts.rewrite.prompts,
        paraphrase: parts.paraphrase.prompts,
        neighborhood: parts.neighborhood.prompts,
      })),
      { rowsPerPass: 20 },
    );
    expect(tf.memory().numTensors).toBe(before);
    for (const [i, one] of golden.counterfact.cases.entries()) {
      for (const part of ['rewrite', 'paraphrase', 'neighborhood'] as const) {
        for (const [p, row] of one[part].rows.entries()) {
          const ours = scores[i]![part][p]!;
          expect(ours.nllNew).toBeCloseTo(row.nll_new, 4);
          expect(ours.nllTrue).toBeCloseTo(row.nll_true, 4);
          expect(ours.magnitude).toBeCloseTo(row.magnitude, 5);
          expect([ours.success, ours.accuracy]).toEqual([row.success, row.accuracy]);
        }
      }
    }
    const { ES, EM, PS, PM, NS, NM, S } = golden.counterfact.summary;
    const summary = summariseCounterFact(scores);
    expect(summary.efficacyScore).toBe(ES);
    expect(summary.paraphraseScore).toBe(PS);
    expect(summary.neighborhoodScore).toBe(NS);
    expect(summary.score).toBeCloseTo(S!, 12);
    expect(summary.efficacyMagnitude).toBeCloseTo(EM!, 5);
    expect(summary.paraphraseMagnitude).toBeCloseTo(PM!, 5);
    expect(summary.neighborhoodMagnitude).toBeCloseTo(NM!, 5);
    const failed: CaseScores = { ...scores[3]!, paraphrase: [], neighborhood: [] };
    expect(summariseCounterFact([failed, ...scores]).efficacyScore).toBe((ES! * 4) / 5);
    // What no prompt measured has no figure, least of all zero; a score that is zero stays.
    const partly = summariseCounterFact([{ ...failed, neighborhood: scores[3]!.neighborhood }]);
    expect(Object.keys(partly)).toEqual(
      ['efficacy', 'neighborhood'].flatMap((part) =>
        ['Score', 'Magnitude', 'Accuracy'].map((kind) => `${part}${kind}`),
      ),
    );
    expect(partly.efficacyScore).toBe(0);
    expect(summariseCounterFact([scores[3]!]).score).toBe(0);
    expect(summariseCounterFact([])).toEqual({});
  });

  it('token accuracy as EasyEdit takes it, and locality against the unedited model', async () => {
    const items = golden.teacher_forced.map(({ prompt_ids, target_ids }) => ({
      prompt: prompt_ids,
      target: target_ids,
    }));
    expect(await tokenAccuracy(model, items)).toEqual(
      golden.teacher_forced.map(({ accuracy }) => accuracy),
    );
    const before = await predictedTokens(model, items);
    expect(localityAccuracy(before, before)).toEqual([1, 1, 1, 1]);
    const moved = before.map((tokens) => [tokens[0]! + 1, ...tokens.slice(1)]);
    expect(localityAccuracy(before, moved)).toEqual([0, 1 / 2, 2 / 3, 3 / 4]);
  });

  it("check 30: perplexity: the usual one and the reference's divisor N", async () => {
    const texts = golden.perplexity.map(({ ids }) => ids);
    const usual = await perplexities(model, texts);
    const rome = await perplexities(model, texts, { divisor: 'rome' });
    for (const [i, { usual: u, rome: r }] of golden.perplexity.entries()) {
      expect(usual[i]! / u).toBeCloseTo(1, 4);
      expect(rome[i]! / r).toBeCloseTo(1, 4);
      // N - 1 terms over N, exactly.
      const n = texts[i]!.length;
      const power = usual[i]! ** ((n - 1) / n);
      expect(figure(30, 'divisor N, relative', Math.abs(rome[i]! / power - 1))).toBeLessThan(1e-12);
      expect(rome[i]!).toBeLessThan(usual[i]! * 0.999);
    }
    expect(await perplexities(model, [[5]])).toEqual([Number.NaN]);
  });
});
