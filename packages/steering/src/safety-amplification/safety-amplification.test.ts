import { SafeInferError, useBackend } from '@safeinfer/backend';
import { createRandomModel, type Row, type Transformer } from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { characterCodec } from '../../test/character-codec.ts';
import { headOutput, meanHeadOutputs } from './head-outputs.ts';
import { distinctHeads, headVector } from './head-vector.ts';
import { indirectEffects } from './indirect-effect.ts';
import { amplify, safetyAmplification } from './safety-amplification.ts';
import { sampleShots } from './sample-shots.ts';

const demonstrations = Array.from({ length: 8 }, (_, i) => ({
  question: `how ${'abcdefgh'[i]}`,
  answer: 'No.',
}));
const compliant = demonstrations.map(({ question }) => ({ question, answer: 'Yes.' }));

let model: Transformer;
beforeAll(async () => {
  await useBackend({ name: 'cpu' });
  model = createRandomModel({
    config: { nLayers: 3, nHeads: 4, dModel: 24, dHead: 8, vocabSize: 96 },
    seed: 3,
    tokenizer: characterCodec,
  });
});
afterAll(() => model.dispose());

const prompts = ['Q: how x\nA:', 'Q: why yz\nA:', 'Q: q\nA:'].map((text) => [
  ...characterCodec.encode(text),
]);

async function lastLogits(row: Row): Promise<Float32Array> {
  using result = model.forward([row]);
  return (await result.lastLogits().data()) as Float32Array;
}

describe('mean head outputs', () => {
  it('of a ragged batch equal the mean of single passes', async () => {
    const together = await meanHeadOutputs({ model, prompts });
    const alone = await Promise.all(
      prompts.map((prompt) => meanHeadOutputs({ model, prompts: [prompt] })),
    );
    together.values.forEach((value, i) => {
      const mean = alone.reduce((sum, { values }) => sum + values[i]!, 0) / alone.length;
      expect(Math.abs(value - mean)).toBeLessThan(1e-5);
    });
  });
});

describe('indirect effects', () => {
  it('equal patching full forwards, one head at a time', async () => {
    const means = await meanHeadOutputs({ model, prompts });
    const prompt = { tokens: prompts[1]!, target: 11, opposed: 42 };
    const fast = await indirectEffects({ model, prompts: [prompt], means });
    const plain = await lastLogits({ tokens: prompt.tokens });
    for (const { layer, head, effect } of fast.ranked) {
      const patched = await lastLogits({
        tokens: prompt.tokens,
        interventions: [
          {
            at: `blocks.${layer}.attn.hook_z`,
            op: 'set',
            heads: [head],
            positions: 'last',
            vector: Float32Array.from(headOutput(means, layer, head)),
          },
        ],
      });
      const naive = patched[11]! - patched[42]! - (plain[11]! - plain[42]!);
      expect(Math.abs(effect - naive)).toBeLessThan(1e-5);
    }
    expect(fast.ranked).toHaveLength(12);
    // Negative control: the effects are not all alike, so equality above could have failed.
    expect(fast.ranked[0]!.effect - fast.ranked.at(-1)!.effect).toBeGreaterThan(1e-2);
  });

  it('of prompts that begin alike equal those of each prompt alone, for fewer token-blocks', async () => {
    const means = await meanHeadOutputs({ model, prompts });
    const stem = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3];
    const alike = [[7, 8], [9], [7, 9, 11]].map((end) => ({
      tokens: [...stem, ...end],
      target: 11,
      opposed: 42,
    }));
    const before = tf.memory().numTensors;
    const together = await indirectEffects({ model, prompts: alike, means });
    expect(tf.memory().numTensors).toBe(before);
    const alone = await Promise.all(
      alike.map((prompt) => indirectEffects({ model, prompts: [prompt], means })),
    );
    for (const { layer, head, effect } of together.ranked) {
      const each = alone.map(
        ({ ranked }) => ranked.find((own) => own.layer === layer && own.head === head)!.effect,
      );
      expect(effect).toBeCloseTo(each.reduce((sum, x) => sum + x, 0) / 3, 5);
    }
    const apart = alone.reduce((sum, { cost }) => sum + cost.tokenBlocks, 0);
    // Two of three prompts do not run the stem of ten tokens again.
    expect(apart - together.cost.tokenBlocks).toBe(2 * stem.length * model.config.nLayers);
    expect(together.prompts).toBe(3);
  });

  it('leaves no tensor behind', async () => {
    const means = await meanHeadOutputs({ model, prompts });
    const before = tf.memory().numTensors;
    await indirectEffects({
      model,
      prompts: [{ tokens: prompts[0]!, target: 1, opposed: 2 }],
      means,
    });
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('the head vector', () => {
  it('is what the chosen heads would write to the residual stream', async () => {
    const means = await meanHeadOutputs({ model, prompts: [prompts[0]!] });
    const heads = Array.from({ length: 4 }, (_, head) => ({ layer: 1, head }));
    const vector = await headVector({ model, means, heads });
    // All heads of a layer on one prompt: the attention output at its last token (this model has no output bias).
    using result = model.forward([{ tokens: prompts[0]! }], {
      capture: ['blocks.1.hook_attn_out'],
      capturePositions: [-1],
      logits: 'none',
    });
    const attention = await result.captured(0, 'blocks.1.hook_attn_out').data();
    vector.forEach((value, i) => {
      expect(Math.abs(value - attention[i]!)).toBeLessThan(1e-5);
    });
  });

  it('counts a repeated head once', () => {
    const head = { layer: 1, head: 2 };
    expect(distinctHeads([head, { layer: 1, head: 3 }, { ...head }])).toHaveLength(2);
  });
});

describe('safety amplification', () => {
  const options = {
    safe: demonstrations,
    compliant,
    shots: 3,
    prompts: 4,
    effectPrompts: 2,
    topHeads: 3,
    seed: 5,
  };

  it('is the same for the same seed', async () => {
    const first = await safetyAmplification({ model, ...options });
    const second = await safetyAmplification({ model, ...options });
    expect(first.vector).toEqual(second.vector);
    expect(first.layer).toBe(1);
    expect(first.heads).toHaveLength(3);
  });

  it('steers every row of a batch as it steers it alone, and strength 0 changes no bit', async () => {
    const { interventions, vector, layer } = await safetyAmplification({ model, ...options });
    const rows = prompts.map((tokens) => ({ tokens, interventions }));
    using batch = model.forward(rows);
    const together = await batch.lastLogits().data();
    for (const [i, row] of rows.entries()) {
      const alone = await lastLogits(row);
      const plain = await lastLogits({ tokens: row.tokens });
      const off = await lastLogits({
        tokens: row.tokens,
        interventions: [amplify({ vector, layer, strength: 0 })],
      });
      expect(off).toEqual(plain);
      const steered = together.slice(i * alone.length, (i + 1) * alone.length);
      alone.forEach((value, j) => {
        expect(Math.abs(value - steered[j]!)).toBeLessThan(1e-5);
      });
      expect(Math.max(...alone.map((value, j) => Math.abs(value - plain[j]!)))).toBeGreaterThan(
        1e-2,
      );
    }
  });

  it('refuses constant answers without a corrupted condition', async () => {
    const attempt = safetyAmplification({ model, safe: demonstrations, shots: 3, seed: 1 });
    await expect(attempt).rejects.toMatchObject({ code: 'BAD_DATASET' });
    await expect(attempt).rejects.toSatisfy(SafeInferError.isInstance);
  });

  it('refuses a layer that does not exist before any work', async () => {
    await expect(safetyAmplification({ model, ...options, layer: 3 })).rejects.toMatchObject({
      code: 'BAD_ARGUMENT',
    });
  });
});

describe('sampled shots', () => {
  it('never puts a query among its own demonstrations', () => {
    const sampled = sampleShots({ demonstrations, shots: 5, count: 200, seed: 9 });
    for (const { shots, query } of sampled) {
      expect(new Set([...shots, query]).size).toBe(6);
    }
    // Every demonstration serves as a query now and then.
    expect(new Set(sampled.map(({ query }) => query.question)).size).toBe(demonstrations.length);
  });
});
