// Processed models compute the same logits, share what they did not change, and refuse what is invalid.
import { useBackend } from '@safeinfer/backend';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { fixtureModel, readFixture } from '../../test/parity/fixture.ts';
import type { HookName } from '../hooks/hook-name.ts';
import type { Transformer } from '../model/transformer.ts';
import { centreUnembedding, centreWritingWeights } from './centre-weights.ts';
import { foldNorms } from './fold-norms.ts';
import { foldValueBiases } from './fold-value-biases.ts';
import { processWeights } from './process-weights.ts';

const names = [
  'gpt2',
  'gpt-neox',
  'gpt-neox-sequential',
  'gptj',
  'llama3',
  'smollm',
  'qwen2',
  'qwen3',
  'gemma',
  'gemma2',
  'gemma3',
  'phi',
  'phi3',
  'olmo2',
] as const;
const fixtures = new Map(
  await Promise.all(names.map(async (name) => [name, await readFixture(name)] as const)),
);
const tokens = [5, 17, 42, 8, 0, 91, 33, 60, 2, 71, 14];

beforeAll(() => useBackend({ name: 'cpu' }));

function modelOf(name: (typeof names)[number]): Transformer {
  return fixtureModel(fixtures.get(name) ?? expect.fail(name));
}

function logitsOf(model: Transformer): Float32Array {
  using result = model.forward([{ tokens }], { logits: 'all' });
  return read(result.logits(0));
}

function read(tensor: tf.Tensor): Float32Array {
  const data = Float32Array.from(tensor.dataSync());
  tensor.dispose();
  return data;
}

const difference = (a: Float32Array, b: Float32Array): number =>
  a.reduce((largest, x, i) => Math.max(largest, Math.abs(x - (b[i] as number))), 0);

function captured(model: Transformer, name: HookName): Float32Array {
  using result = model.forward([{ tokens }], { logits: 'none', capture: [name] });
  return read(result.captured(0, name));
}

describe('foldNorms', () => {
  for (const name of names) {
    it(`${name}: same logits, plain norms, shared tensors, nothing leaked`, () => {
      const before = tf.memory().numTensors;
      {
        using model = modelOf(name);
        const held = tf.memory().numTensors;
        using folded = foldNorms(model);
        const changed = [...folded.weights].filter(([key, w]) => model.weights.get(key) !== w);
        expect(tf.memory().numTensors).toBe(held + changed.length);
        expect(difference(logitsOf(model), logitsOf(folded))).toBeLessThan(5e-5);
        const gain = folded.weights.get('ln_final.w')?.dataSync() ?? [];
        expect(new Set(gain)).toEqual(new Set([1 - model.config.norm.gainOffset]));
        expect(folded.weights.get('blocks.0.mlp.W_out')).toBe(
          model.weights.get('blocks.0.mlp.W_out'),
        );
        const out = captured(folded, 'ln_final.hook_out');
        expect(out).toEqual(captured(folded, 'ln_final.hook_normalized'));
        expect(out).not.toEqual(captured(model, 'ln_final.hook_out'));
      }
      expect(tf.memory().numTensors).toBe(before);
    });
  }

  it('would be wrong without the gain offset or the bias (the check can fail)', () => {
    using gemma = modelOf('gemma');
    using offset = gemma.withWeights(new Map(), {
      ...gemma.config,
      norm: { ...gemma.config.norm, gainOffset: 0 },
    });
    using wrong = foldNorms(offset);
    expect(difference(logitsOf(gemma), logitsOf(wrong))).toBeGreaterThan(1);
    using gpt2 = modelOf('gpt2');
    using folded = foldNorms(gpt2);
    using unbiased = folded.withWeights(
      new Map([['unembed.b_U', tf.zeros([gpt2.config.vocabSize])]]),
    );
    expect(difference(logitsOf(gpt2), logitsOf(unbiased))).toBeGreaterThan(1e-2);
  });
});

describe('centreWritingWeights', () => {
  it.each(['gpt2', 'gpt-neox', 'gptj', 'phi'] as const)(
    '%s: same logits, centred stream',
    (name) => {
      using model = modelOf(name);
      using centred = centreWritingWeights(model);
      expect(difference(logitsOf(model), logitsOf(centred))).toBeLessThan(5e-5);
      const point: HookName = `blocks.${model.config.nLayers - 1}.hook_resid_post`;
      const width = model.config.dModel;
      const mean = (values: Float32Array): number =>
        Math.abs(values.subarray(0, width).reduce((sum, x) => sum + x, 0)) / width;
      expect(mean(captured(centred, point))).toBeLessThan(1e-5);
      expect(mean(captured(model, point))).toBeGreaterThan(1e-3);
    },
  );

  it.each(['llama3', 'gemma2', 'olmo2'] as const)('%s: refused, RMSNorm reads the mean', (name) => {
    using model = modelOf(name);
    expect(() => centreWritingWeights(model)).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED' }),
    );
  });
});

describe('centreUnembedding', () => {
  it.each(['gpt2', 'gptj', 'qwen3', 'smollm'] as const)('%s: same log-probabilities', (name) => {
    using model = modelOf(name);
    using centred = centreUnembedding(model);
    const logProbabilities = (m: Transformer): Float32Array => {
      using result = m.forward([{ tokens }], { logits: 'all' });
      return read(tf.tidy(() => tf.logSoftmax(result.logits(0))));
    };
    expect(difference(logProbabilities(model), logProbabilities(centred))).toBeLessThan(5e-5);
    const logits = logitsOf(centred).subarray(0, model.config.vocabSize);
    expect(Math.abs(logits.reduce((sum, x) => sum + x, 0))).toBeLessThan(1e-3);
  });

  it('is refused under a final soft-cap, where it would change log-probabilities', () => {
    using model = modelOf('gemma2');
    const before = tf.memory().numTensors;
    expect(() => centreUnembedding(model)).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED' }),
    );
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('foldValueBiases', () => {
  it.each(['gpt2', 'gpt-neox', 'qwen2', 'phi'] as const)('%s: same logits', (name) => {
    using model = modelOf(name);
    using folded = foldValueBiases(model);
    expect(difference(logitsOf(model), logitsOf(folded))).toBeLessThan(5e-5);
    expect(new Set(folded.weights.get('blocks.0.attn.b_V')?.dataSync())).toEqual(new Set([0]));
  });

  it('differs once a pattern is ablated, as documented', () => {
    using model = modelOf('qwen2');
    using folded = foldValueBiases(model);
    const ablated = (m: Transformer): Float32Array => {
      const interventions = [{ at: 'blocks.0.attn.hook_pattern', op: 'zero' } as const];
      using result = m.forward([{ tokens, interventions }], { logits: 'all' });
      return read(result.logits(0));
    };
    expect(difference(ablated(model), ablated(folded))).toBeGreaterThan(1e-3);
  });

  it('is refused without value biases', () => {
    using model = modelOf('llama3');
    expect(() => foldValueBiases(model)).toThrow(expect.objectContaining({ code: 'UNSUPPORTED' }));
  });
});

describe('processWeights', () => {
  it('does all four steps on GPT-2 and frees what lies between', () => {
    using model = modelOf('gpt2');
    const held = tf.memory().numTensors;
    {
      using processed = processWeights(model, {
        foldNorms: true,
        centreWritingWeights: true,
        foldValueBiases: true,
      });
      const changed = [...processed.weights].filter(([key, w]) => model.weights.get(key) !== w);
      expect(tf.memory().numTensors).toBe(held + changed.length);
      expect(difference(logitsOf(model), logitsOf(processed))).toBeLessThan(5e-5);
    }
    expect(tf.memory().numTensors).toBe(held);
  });

  it('frees the first steps when a later one is refused', () => {
    using model = modelOf('gemma2');
    const held = tf.memory().numTensors;
    expect(() => processWeights(model, { foldNorms: true, centreUnembedding: true })).toThrow();
    expect(tf.memory().numTensors).toBe(held);
  });
});
