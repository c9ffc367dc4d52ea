// A model whose embedding exceeds the backend's largest tensor computes the same, row-chunked.
import { describeOnBackends, limitLargestTensor } from '@safeinfer/backend/testing';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, describe, expect, it } from 'vitest';
import { analysisPoints } from '../analysis/captured-row.ts';
import { logitLens } from '../analysis/logit-lens.ts';
import type { ModelConfig } from '../config/model-config.ts';
import { createRandomModel, randomConfig } from './create-random-model.ts';
import type { Row } from './row.ts';
import type { Transformer } from './transformer.ts';

const SIZES = { vocabSize: 501, dModel: 32, maxPositions: 64 };
/** The embedding has 64,128 bytes, no other weight more than 16,384. */
const LIMIT = 17_000;
const ROWS: Row[] = [{ tokens: [500, 3, 266, 0, 132] }, { tokens: [133, 399] }];

const CONFIGS: Readonly<Record<string, ModelConfig>> = {
  'an unembedding of its own': randomConfig({ like: 'llama', ...SIZES }),
  'tied embeddings': randomConfig({ like: 'gpt2', ...SIZES }),
  'a bias, a scale and a cap': {
    ...randomConfig({ like: 'llama', ...SIZES }),
    biases: { qkv: false, attnOut: false, mlp: false, unembed: true },
    embedScale: 2,
    finalSoftcap: 30,
  },
};

/** What is compared, each as one list of numbers. */
const OUTCOMES: Readonly<Record<string, (model: Transformer) => Promise<number[]>>> = {
  logits: async (model) => {
    using result = model.forward(ROWS, { logits: 'all' });
    return [...(await result.logits(0).data()), ...(await result.logits(1).data())];
  },
  'generated tokens': async (model) => {
    const tokens: number[] = [];
    for await (const event of model.generate(ROWS, { maxNewTokens: 8 })) tokens.push(event.token);
    return tokens;
  },
  'a gradient at a hook point': async (model) => {
    using found = model.gradients({
      rows: ROWS,
      at: ['hook_embed', 'blocks.1.hook_resid_post'],
      logits: 'all',
      of: ({ logits }) => tf.sum(tf.square(logits(0))) as tf.Scalar,
    });
    const embed = await found.grad(0, 'hook_embed').data();
    return [...embed, ...(await found.grad(0, 'blocks.1.hook_resid_post').data())];
  },
  'a logit lens': async (model) => {
    const capture = analysisPoints(model);
    using result = model.forward(ROWS, { capture, logits: 'none' });
    using lens = logitLens({ model, result, row: 0, positions: [-1] });
    return [...(await lens.logits.data())];
  },
};

/** d loss / d every weight: as large as the weights, so only where nothing but this test states a limit. */
async function weightGradients(model: Transformer): Promise<number[]> {
  const names = [...model.weights.keys()];
  const { value, grads } = tf.valueAndGrads((...weights: tf.Tensor[]) => {
    const own = new Map(names.map((name, i) => [name, weights[i]!]));
    return tf.mean(tf.square(model.trace({ rows: ROWS, weights: own }).logits)) as tf.Scalar;
  })([...model.weights.values()]);
  const all: number[] = [];
  for (const slope of grads) all.push(...(await slope.data()));
  tf.dispose([value, grads]);
  return all;
}

await describeOnBackends('a vocabulary beyond the largest tensor', (backend) => {
  if (backend.startsWith('tfjs-node')) return it.skipIf(true)('has no limit', () => {});
  const outcomes =
    backend === 'webgpu' ? OUTCOMES : { ...OUTCOMES, 'gradients of all weights': weightGradients };
  afterEach(() => limitLargestTensor(backend, undefined));

  describe.each(Object.keys(CONFIGS))('with %s', (kind) => {
    it.each(Object.keys(outcomes))('gives the same %s', async (name) => {
      const before = [tf.memory().numTensors, tf.engine().backend.numDataIds()];
      const run = async (): Promise<number[]> => {
        using model = createRandomModel({ config: CONFIGS[kind]!, seed: 5 });
        return await outcomes[name]!(model);
      };
      const whole = await run();
      limitLargestTensor(backend, LIMIT);
      const parts = await run();
      expect(parts.length).toBe(whole.length);
      let [worst, largest] = [0, 0];
      for (const [i, value] of whole.entries()) {
        worst = Math.max(worst, Math.abs(value - parts[i]!));
        largest = Math.max(largest, Math.abs(value));
      }
      expect(largest).toBeGreaterThan(0);
      expect(worst / largest).toBeLessThan(2e-6);
      // Parts are freed with the model.
      expect([tf.memory().numTensors, tf.engine().backend.numDataIds()]).toEqual(before);
    });
  });

  it.runIf(backend === 'webgpu')(
    'refuses the gradient of such an embedding, with a remedy',
    async () => {
      using model = createRandomModel({ config: CONFIGS['tied embeddings']!, seed: 5 });
      limitLargestTensor(backend, LIMIT);
      await expect(weightGradients(model)).rejects.toMatchObject({
        code: 'ALLOCATION_LIMIT',
        message: expect.stringMatching(/\b501\b/),
        hint: expect.stringContaining('train adapters'),
      });
    },
  );
});
