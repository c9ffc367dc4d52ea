import { useBackend } from '@safeinfer/backend';
import { loadPocket } from '@safeinfer/pocket';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseCases } from '../cases/read-cases.ts';
import { EditSession } from '../session/edit-session.ts';
import { collapseGauges, wordEntropy } from './collapse.ts';
import { localityBaseline, scoreEasyEdit, scoreZsre, summariseProtocol } from './protocols.ts';

let pocket: Awaited<ReturnType<typeof loadPocket>>;
beforeAll(async () => {
  await useBackend({ name: 'ort', threads: 1 });
  pocket = await loadPocket();
});
afterAll(() => pocket[Symbol.dispose]());

const knowEdit = [
  {
    subject: 'France',
    prompt: 'The capital of France is',
    target_new: 'Lisbon',
    rephrase: ['We read that the capital of France is'],
    portability: {
      // True before the edit as well: its accuracy does not depend on it.
      Logical_Generalization: [{ prompt: 'The capital of Portugal is', ground_truth: 'Lisbon' }],
      Reasoning: [{ prompt: 'The capital of Spain is', ground_truth: 'Paris' }],
    },
    locality: {
      Relation_Specificity: [
        { prompt: 'The capital of Poland is', ground_truth: 'Warsaw' },
        // What the data say is not what the model says: EasyEdit's locality does not mind.
        { prompt: 'The capital of Egypt is', ground_truth: 'Oslo' },
      ],
    },
  },
];
const rome = { kind: 'rome', layer: 5, factToken: 'last', learningRate: 1, steps: 20 } as const;

describe('zsRE and EasyEdit protocols on one edited fact', () => {
  it('differ in locality, and only rewrite and paraphrase change with the edit', async () => {
    const cases = parseCases(knowEdit);
    const { model } = pocket;
    using session = new EditSession(model);
    const tensors = tf.memory().numTensors;
    const baseline = await localityBaseline(model, cases);
    const before = await scoreEasyEdit(model, cases, baseline);
    expect(tf.memory().numTensors).toBe(tensors);
    expect(summariseProtocol(before)).toEqual({
      protocol: 'easyedit',
      cases: 1,
      rewrite: 0,
      paraphrase: 0,
      locality: { Relation_Specificity: 1 },
      portability: { Logical_Generalization: 1, Reasoning: 0 },
    });
    await session.edit({ ...cases[0]!.request, prompt: 'The capital of {} is' }, rome);
    expect(summariseProtocol(await scoreEasyEdit(model, cases, baseline))).toMatchObject({
      rewrite: 1,
      paraphrase: 1,
      locality: { Relation_Specificity: 1 },
    });
    const [zsre] = await scoreZsre(model, cases);
    expect(zsre!.locality.map(({ accuracy }) => accuracy)).toEqual([1, 0]);
    expect(summariseProtocol([zsre!]).locality).toEqual({ Relation_Specificity: 0.5 });
    // A baseline taken on the edited model would hide damage: the trap of sequential evaluation.
    session.reset();
    await session.apply(
      [
        {
          weight: 'blocks.7.mlp.W_out',
          left: new Float64Array(model.config.dMlp).fill(2),
          right: new Float64Array(model.config.dModel).fill(2),
        },
      ],
      'damage',
    );
    const late = await localityBaseline(model, cases);
    const damaged = (await scoreEasyEdit(model, cases, baseline))[0]!.locality;
    const hidden = (await scoreEasyEdit(model, cases, late))[0]!.locality;
    expect(damaged.every(({ accuracy }) => accuracy === 0)).toBe(true);
    expect(hidden.every(({ accuracy }) => accuracy === 1)).toBe(true);
  });
});

describe('collapseGauges', () => {
  it.each(['weights', 'sidePath'] as const)(
    'on %s: near 1 for a small change, large for a broken model',
    async (mode) => {
      const { model } = pocket;
      const texts = ['The capital of Poland is Warsaw.', 'The currency of Spain is euro.'];
      const gauge = async (size: number) => {
        using session = new EditSession(model, { mode });
        await session.apply(
          [
            {
              weight: 'blocks.3.mlp.W_out',
              left: new Float64Array(model.config.dMlp).fill(size),
              right: Float64Array.from({ length: model.config.dModel }, (_, i) =>
                i % 2 ? size : -size,
              ),
            },
          ],
          'change',
        );
        const tensors = tf.memory().numTensors;
        const gauges = await collapseGauges({ model, session, texts });
        expect(tf.memory().numTensors).toBe(tensors);
        expect(session.edits).toEqual(['change']);
        return gauges;
      };
      const small = await gauge(1e-3);
      const broken = await gauge(2);
      expect(Math.abs(small.perplexityRatio - 1)).toBeLessThan(0.05);
      expect(broken.perplexityRatio).toBeGreaterThan(2);
      expect(small.perplexityUnedited).toBe(broken.perplexityUnedited);
      if (mode === 'sidePath') expect(small.weights).toEqual([]);
      else {
        const entries = model.config.dMlp * model.config.dModel;
        const [{ distance, name } = { distance: 0, name: '' }] = broken.weights;
        expect(name).toBe('blocks.3.mlp.W_out');
        // |left| |right| = 2 sqrt(384) 2 sqrt(128)
        expect(distance * entries).toBeCloseTo(4 * Math.sqrt(384 * 128), 1);
      }
    },
  );

  it('word entropy: repetition is 0, no word twice is 1', () => {
    expect(wordEntropy('no no no no')).toBe(0);
    expect(wordEntropy('the cat sat down')).toBeCloseTo(1, 12);
    expect(wordEntropy('a a b b')).toBeCloseTo(0.5, 12);
    expect(wordEntropy('one')).toBeNaN();
  });
});
