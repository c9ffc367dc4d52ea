// Decompositions add up to what the model computed, on every kind of block.
import { useBackend } from '@safeinfer/backend';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { fixtureModel, readFixture } from '../../test/parity/fixture.ts';
import type { ForwardResult } from '../model/forward-options.ts';
import type { Transformer } from '../model/transformer.ts';
import { accumulatedResidual, residualBefore } from './accumulated-residual.ts';
import { analysisPoints, type Detail } from './captured-row.ts';
import { decomposedResidual, headContributions } from './decomposed-residual.ts';
import { logitAttribution } from './logit-attribution.ts';
import { logitLens } from './logit-lens.ts';

/** Sequential, parallel with one norm and with two, sandwich, post-norm only, soft-capped, tied. */
const names = [
  'gpt2',
  'gpt-neox',
  'gptj',
  'llama3',
  'smollm',
  'qwen2',
  'gemma2',
  'gemma3',
  'olmo2',
  'phi',
];
const fixtures = await Promise.all(names.map(readFixture));
const rows = [{ tokens: [5, 17, 42] }, { tokens: [7, 91, 33, 60, 2, 71, 14, 8] }];
const row = 1;

beforeAll(() => useBackend({ name: 'cpu' }));

const values = (tensor: tf.Tensor): Float32Array => Float32Array.from(tensor.dataSync());
function difference(a: tf.Tensor, b: tf.Tensor): number {
  return tf.tidy(() => tf.max(tf.abs(tf.sub(a, b))).dataSync()[0] as number);
}
function run(model: Transformer, detail: Detail): ForwardResult {
  return model.forward(rows, { capture: analysisPoints(model, detail), logits: 'all' });
}

for (const fixture of fixtures) {
  describe(fixture.name, () => {
    it.each(['modules', 'heads', 'neurons'] as const)(
      'decomposed by %s adds up to every residual stream, with a remainder of biases only',
      (detail) => {
        using model = fixtureModel(fixture);
        using result = run(model, detail);
        const { nLayers, nHeads, dMlp, biases, block, positions } = model.config;
        for (const layer of [0, 1, nLayers]) {
          using parts = decomposedResidual({ model, result, row, layer, detail });
          const embeds = positions === 'learned' ? 2 : 1;
          const perLayer = detail === 'modules' ? 2 : nHeads + (detail === 'heads' ? 1 : dMlp);
          expect(parts.labels.length).toBe(embeds + layer * perLayer + 1);
          expect(parts.stack.shape[0]).toBe(parts.labels.length);
          const total = tf.sum(parts.stack, 0);
          expect(difference(total, residualBefore({ model, result, row }, layer))).toBeLessThan(
            2e-5,
          );
          total.dispose();
          const rest = tf.slice(parts.stack, [parts.labels.length - 1, 0, 0], [1, -1, -1]);
          const size = tf.tidy(() => tf.max(tf.abs(rest)).dataSync()[0] as number);
          rest.dispose();
          const biased =
            layer > 0 &&
            ((detail !== 'modules' && biases.attnOut) || (detail === 'neurons' && biases.mlp));
          if (biased) expect(size).toBeGreaterThan(1e-3);
          else expect(size).toBeLessThan(2e-5);
          expect(block.postNorm && biases.attnOut).toBe(false);
        }
      },
    );

    it('attributes a logit difference exactly, and the lens ends in the model’s own logits', () => {
      using model = fixtureModel(fixture);
      const [token, against] = [11, 80] as const;
      const cap = model.config.finalSoftcap;
      const before = tf.memory().numTensors;
      {
        using result = run(model, 'heads');
        const logits = result.logits(row);
        for (const detail of ['modules', 'heads'] as const) {
          using stack = decomposedResidual({ model, result, row, detail });
          using parts = logitAttribution({ model, result, row, stack, token, against });
          expect(parts.labels.length).toBe(parts.values.shape[0]);
          const total = tf.tidy(() => values(tf.sum(parts.values, 0)));
          const expected = tf.tidy(() => {
            // Attribution speaks of logits before the cap.
            const plain = cap === null ? logits : tf.mul(tf.atanh(tf.div(logits, cap)), cap);
            return values(
              tf.sub(tf.slice(plain, [0, token], [-1, 1]), tf.slice(plain, [0, against], [-1, 1])),
            );
          });
          total.forEach((sum, i) => {
            expect(Math.abs(sum - (expected[i] as number))).toBeLessThan(
              cap === null ? 5e-5 : 3e-4,
            );
          });
        }
        using lens = logitLens({ model, result, row, mid: true });
        expect(lens.labels.at(-1)).toBe('final_post');
        const last = tf.tidy(() =>
          tf.reshape(
            tf.slice(lens.logits, [lens.labels.length - 1, 0, 0], [1, -1, -1]),
            logits.shape,
          ),
        );
        expect(difference(last, logits)).toBeLessThan(2e-5);
        last.dispose();
        using final = logitLens({ model, result, row, positions: [-1] });
        expect(final.logits.shape).toEqual([model.config.nLayers + 1, 1, model.config.vocabSize]);
      }
      expect(tf.memory().numTensors).toBe(before);
    });
  });
}

describe('accumulatedResidual', () => {
  it('labels and orders streams, with middles in sequential blocks only', async () => {
    const [gpt2, neox] = [fixtures[0], fixtures[1]];
    if (gpt2 === undefined || neox === undefined) throw new Error('fixtures');
    using model = fixtureModel(gpt2);
    using result = run(model, 'modules');
    using streams = accumulatedResidual({ model, result, row, layer: 2, mid: true });
    expect(streams.labels).toEqual(['0_pre', '0_mid', '1_pre', '1_mid', '2_pre']);
    using parallel = fixtureModel(neox);
    using other = run(parallel, 'modules');
    using plain = accumulatedResidual({ model: parallel, result: other, row, mid: true });
    expect(plain.labels).toEqual(['0_pre', '1_pre', '2_pre', 'final_post']);
  });

  it('shows interventions as a remainder, and names what was not captured', () => {
    const [gpt2] = fixtures;
    if (gpt2 === undefined) throw new Error('fixtures');
    using model = fixtureModel(gpt2);
    const vector = new Array<number>(model.config.dModel).fill(0.5);
    const edit = { op: 'add', at: 'blocks.1.hook_resid_pre', vector } as const;
    using result = model.forward([{ tokens: [1, 2, 3], interventions: [edit] }], {
      capture: analysisPoints(model),
    });
    using parts = decomposedResidual({ model, result });
    const rest = tf.tidy(() =>
      values(tf.slice(parts.stack, [parts.labels.length - 1, 0, 0], [1, -1, -1])),
    );
    for (const value of rest) expect(value).toBeCloseTo(0.5, 4);
    using bare = model.forward([{ tokens: [1, 2] }]);
    expect(() => logitLens({ model, result: bare })).toThrow(/not captured/);
    expect(() => decomposedResidual({ model, result, layer: 9 })).toThrow(/layer 9/);
  });
});

describe('headContributions', () => {
  it('are the model’s own hook_result', () => {
    for (const name of ['gpt2', 'qwen2', 'gptj']) {
      const fixture = fixtures.find((one) => one.name === name);
      if (fixture === undefined) throw new Error('fixture');
      using model = fixtureModel(fixture);
      const point = 'blocks.1.attn.hook_result' as const;
      using result = model.forward(rows, { capture: [...analysisPoints(model, 'heads'), point] });
      using heads = headContributions({ model, result, row, layer: 2 });
      const { nHeads } = model.config;
      expect(heads.labels[nHeads]).toBe('L1H0');
      const own = tf.tidy(() => tf.transpose(result.captured(row, point), [1, 0, 2]));
      const theirs = tf.slice(heads.stack, [nHeads, 0, 0], [nHeads, -1, -1]);
      expect(difference(own, theirs)).toBeLessThan(1e-5);
      own.dispose();
      theirs.dispose();
    }
  });
});
