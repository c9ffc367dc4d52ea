import { useBackend } from '@safeinfer/backend';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  HARMFUL_TOKENS,
  HARMLESS_TOKENS,
  plantedHeads,
  plantedRefusal,
  REFUSAL_TOKEN,
} from '../../test/planted-models.ts';
import { cosine } from '../linear-algebra/matrix.ts';
import type { PromptFormat } from '../safety-amplification/demonstration.ts';
import { safetyAmplification } from '../safety-amplification/safety-amplification.ts';
import { functionVector } from './function-vector.ts';
import { refusalDirection, refusalScore } from './refusal-direction.ts';

const HEADS = [
  { layer: 0, head: 2 },
  { layer: 1, head: 1 },
];
const byPlace = (a: { layer: number; head: number }, b: typeof a): number =>
  a.layer - b.layer || a.head - b.head;
const place = ({ layer, head }: { layer: number; head: number }) => ({ layer, head });

beforeAll(() => useBackend({ name: 'cpu' }));

describe('planted heads', () => {
  // Safe answers hold '#', which the planted heads notice; compliant ones do not.
  const safe = 'abcdefgh'.split('').map((x) => ({ question: `how ${x}`, answer: 'N#' }));
  const compliant = safe.map(({ question }) => ({ question, answer: 'Y.' }));
  const options = { safe, compliant, shots: 3, prompts: 4, effectPrompts: 3, seed: 2 };

  it('are ranked first by safety amplification, whose vector is what they write', async () => {
    const { model, direction } = plantedHeads({
      heads: HEADS,
      noticed: '#',
      towards: ' ',
      against: '!',
    });
    try {
      // Both answers begin with a space, so the metric's tokens come from single-letter codecs: name them apart.
      const format: PromptFormat = (shots, query) =>
        `${shots.map(({ question, answer }) => `${question}:${answer}\n`).join('')}${query}:`;
      const before = tf.memory().numTensors;
      const made = await safetyAmplification({
        model,
        ...options,
        topHeads: 2,
        metric: 'probability',
        format,
      });
      expect(tf.memory().numTensors).toBe(before);
      expect(made.heads.map(place).sort(byPlace)).toEqual(HEADS);
      const [second, third] = [made.effects!.ranked[1]!.effect, made.effects!.ranked[2]!.effect];
      expect(second).toBeGreaterThan(5 * Math.abs(third));
      expect(cosine(made.vector, direction)).toBeGreaterThan(0.999);
      expect(made.effects!.cost.naiveTokenBlocks).toBeGreaterThan(made.effects!.cost.tokenBlocks);
    } finally {
      model.dispose();
    }
  });

  it('goes on from a checkpoint to the very same effects, and refuses a foreign one', async () => {
    const { model } = plantedHeads({ heads: HEADS, noticed: '#', towards: ' ', against: '!' });
    try {
      const abort = new AbortController();
      const checkpoints: Parameters<
        NonNullable<Parameters<typeof safetyAmplification>[0]['onCheckpoint']>
      >[0][] = [];
      const whole = await safetyAmplification({
        model,
        ...options,
        topHeads: 2,
        metric: 'probability',
      });
      await expect(
        safetyAmplification({
          model,
          ...options,
          topHeads: 2,
          metric: 'probability',
          signal: abort.signal,
          onCheckpoint: (checkpoint) => {
            checkpoints.push(checkpoint);
            if (checkpoint.prompts === 2) abort.abort();
          },
        }),
      ).rejects.toMatchObject({ code: 'ABORTED' });
      const resume = JSON.parse(JSON.stringify(checkpoints.at(-1)));
      let ran = 0;
      const resumed = await safetyAmplification({
        model,
        ...options,
        topHeads: 2,
        metric: 'probability',
        resume,
        onCheckpoint: () => {
          ran += 1;
        },
      });
      expect(ran).toBe(1);
      expect(resumed.effects!.ranked).toEqual(whole.effects!.ranked);
      expect(resumed.vector).toEqual(whole.vector);
      await expect(
        safetyAmplification({
          model,
          ...options,
          seed: 3,
          topHeads: 2,
          metric: 'probability',
          resume,
        }),
      ).rejects.toMatchObject({ code: 'WRONG_MODEL' });
    } finally {
      model.dispose();
    }
  });

  it('can be injected each in its own layer', async () => {
    const { model } = plantedHeads({ heads: HEADS, noticed: '#', towards: ' ', against: '!' });
    try {
      const made = await safetyAmplification({
        model,
        ...options,
        heads: HEADS,
        inject: 'distributed',
      });
      expect(
        made.plan.operations.map(({ layer, head, point }) => ({ layer, head, point })),
      ).toEqual(HEADS.map((head) => ({ ...head, point: 'attn.hook_z' })));
      // Adding every head's mean output in place = adding its image to that layer's attention output.
      const tokens = [5, 6, 7];
      using steered = model.forward([{ tokens, interventions: made.interventions }], {
        capture: ['blocks.0.hook_attn_out'],
        logits: 'none',
      });
      using plain = model.forward([{ tokens }], {
        capture: ['blocks.0.hook_attn_out'],
        logits: 'none',
      });
      const [after, base] = await Promise.all(
        [steered, plain].map(
          async (run) => (await run.captured(0, 'blocks.0.hook_attn_out').array()) as number[][],
        ),
      );
      const moved = after!.at(-1)!.map((x, i) => x - base!.at(-1)![i]!);
      const single = await safetyAmplification({ model, ...options, heads: [HEADS[0]!] });
      for (const [i, x] of moved.entries()) expect(x).toBeCloseTo(0.5 * single.vector[i]!, 4);
    } finally {
      model.dispose();
    }
  });

  it('are found for another task by functionVector, which refuses a constant answer', async () => {
    const { model, direction } = plantedHeads({
      heads: HEADS,
      noticed: '#',
      towards: ' ',
      against: '!',
    });
    try {
      const demonstrations = 'abcdefgh'
        .split('')
        .map((x, i) => ({ question: x, answer: i % 2 ? `#${x}` : `${x}#` }));
      const made = await functionVector({
        model,
        demonstrations,
        heads: HEADS,
        shots: 3,
        prompts: 3,
        seed: 1,
      });
      expect(cosine(made.vector, direction)).toBeGreaterThan(0.999);
      const ranked = await functionVector({
        model,
        demonstrations,
        shots: 3,
        prompts: 3,
        effectPrompts: 2,
        topHeads: 2,
        seed: 1,
      });
      expect(ranked.effects!.ranked).toHaveLength(12);
      await expect(
        functionVector({ model, demonstrations: safe, shots: 3, seed: 1 }),
      ).rejects.toMatchObject({
        code: 'BAD_DATASET',
      });
    } finally {
      model.dispose();
    }
  });
});

describe('a planted refusal direction', () => {
  const prompts = (endings: readonly number[], start: number) =>
    endings.map((token, i) => ({ tokens: [start + i, 40 + i, token] }));
  const split = (endings: readonly number[]) => ({
    train: prompts(endings.slice(0, 6), 1),
    validation: prompts(endings.slice(6), 31),
  });
  const [harmful, harmless] = [split(HARMFUL_TOKENS), split(HARMLESS_TOKENS)];

  it('is found, and what is chosen bypasses and induces refusal at little cost', async () => {
    const { model, direction } = plantedRefusal();
    try {
      const before = tf.memory().numTensors;
      const found = await refusalDirection({
        model,
        harmful: harmful.train,
        harmless: harmless.train,
        validation: { harmful: harmful.validation, harmless: harmless.validation },
        refusalTokens: [REFUSAL_TOKEN],
        positions: [-1, -2],
      });
      expect(tf.memory().numTensors).toBe(before);
      expect(found.kept).toEqual({ harmful: 6, harmless: 6 });
      expect(found.candidates).toHaveLength(6);
      expect(found.chosen.position).toBe(-1);
      expect(cosine(found.chosen.direction, direction)).toBeGreaterThan(0.8);
      expect(found.baseline.harmful).toBeGreaterThan(0);
      expect(found.chosen.bypass).toBeLessThan(found.baseline.harmful - 3);
      expect(found.chosen.induce).toBeGreaterThan(found.baseline.harmless + 3);
      expect(
        found.candidates.filter(({ layer }) => layer === 2).every(({ discarded }) => discarded),
      ).toBe(true);
    } finally {
      model.dispose();
    }
  });

  it('is refused on a model that does not refuse', async () => {
    const { model } = plantedRefusal();
    try {
      const attempt = refusalDirection({
        model,
        harmful: harmless.train,
        harmless: harmful.train,
        validation: { harmful: harmless.validation, harmless: harmful.validation },
        refusalTokens: [REFUSAL_TOKEN],
      });
      await expect(attempt).rejects.toMatchObject({ code: 'BAD_DATASET' });
    } finally {
      model.dispose();
    }
  });

  it('is scored as log odds', () => {
    const logits = [0, Math.log(3), 0];
    expect(refusalScore(logits, [1])).toBeCloseTo(Math.log(0.6 / 0.4), 6);
    expect(refusalScore(logits, [0, 2])).toBeCloseTo(Math.log(0.4 / 0.6), 6);
  });
});
