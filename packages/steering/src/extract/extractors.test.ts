import { useBackend } from '@safeinfer/backend';
import { createRandomModel, type Transformer } from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { contrastVector } from './contrast-vector.ts';
import { personaVector } from './persona-vector.ts';
import { readActivations } from './read-activations.ts';
import { truthHeads } from './truth-heads.ts';

let model: Transformer;
beforeAll(async () => {
  await useBackend({ name: 'cpu' });
  model = createRandomModel({
    config: { nLayers: 2, nHeads: 2, dModel: 16, dHead: 6, vocabSize: 64 },
    seed: 4,
  });
});
afterAll(() => model.dispose());

/** Texts of two classes: they end in different tokens. */
const rows = (ending: number, count = 6) =>
  Array.from({ length: count }, (_, i) => ({ tokens: [i + 1, 20 + 3 * i, (7 * i) % 13, ending] }));
const [positive, negative] = [rows(50), rows(51)];

async function residual(tokens: readonly number[], layer: number): Promise<number[][]> {
  using result = model.forward([{ tokens }], {
    capture: [`blocks.${layer}.hook_resid_post`],
    logits: 'none',
  });
  return (await result.captured(0, `blocks.${layer}.hook_resid_post`).array()) as number[][];
}

describe('activations', () => {
  it('are what single passes give, at every read position', async () => {
    const ragged = [{ tokens: [1, 2, 3] }, { tokens: [9, 8, 7, 6, 5] }];
    for (const read of [-1, -2, 0, 'mean', { from: -2 }, { from: 1, to: -1 }] as const) {
      const [got] = await readActivations({ model, rows: ragged, sites: [{ layer: 1 }], read });
      for (const [i, { tokens }] of ragged.entries()) {
        const n = tokens.length;
        const all = await residual(tokens, 1);
        const part =
          typeof read === 'number'
            ? [all.at(read)!]
            : read === 'mean'
              ? all
              : all.slice(read.from, 'to' in read ? read.to : n);
        for (let j = 0; j < 16; j += 1) {
          const mean = part.reduce((sum, line) => sum + line[j]!, 0) / part.length;
          expect(got!.values[i * 16 + j]!).toBeCloseTo(mean, 5);
        }
      }
    }
  });

  it('refuses positions outside a row', async () => {
    await expect(
      readActivations({
        model,
        rows: [{ tokens: [1, 2] }],
        sites: [{ layer: 0 }],
        read: { from: -3 },
      }),
    ).rejects.toMatchObject({ code: 'BAD_DATASET' });
  });
});

describe('contrast vectors', () => {
  it('are differences of means of single passes, with their geometry', async () => {
    const before = tf.memory().numTensors;
    const set = await contrastVector({ model, positive, negative });
    expect(tf.memory().numTensors).toBe(before);
    expect([...set.directions.keys()]).toEqual([0, 1]);
    const mean = async (side: typeof positive): Promise<number[]> => {
      const last = await Promise.all(
        side.map(async ({ tokens }) => (await residual(tokens, 1)).at(-1)!),
      );
      return last[0]!.map((_, j) => last.reduce((sum, h) => sum + h[j]!, 0) / last.length);
    };
    const [plus, minus] = [await mean(positive), await mean(negative)];
    set.directions.get(1)!.forEach((value, j) => {
      expect(value).toBeCloseTo(plus[j]! - minus[j]!, 5);
    });
    const geometry = set.geometry!.get(1)!;
    expect(geometry.auroc).toBe(1);
    expect(geometry.dPrime).toBeGreaterThan(2);
    expect(geometry.agreement).toBeGreaterThan(0.5);
    expect(geometry.effectiveRank).toBeGreaterThanOrEqual(1);
  });

  it('see nothing where there is nothing', async () => {
    // Both sides end alike: what differs is noise, and held-out separation says so.
    const other = rows(50).map(({ tokens }, i) => ({ tokens: [30 + i, ...tokens.slice(1)] }));
    const set = await contrastVector({ model, positive, negative: other });
    expect(set.geometry!.get(1)!.dPrime).toBeLessThan(2);
  });

  it.each(['pca', 'pca-centred', 'mean-centred'] as const)('can be made by %s', async (method) => {
    const set = await contrastVector({ model, positive, negative, method, layers: [1] });
    const length = Math.hypot(...set.directions.get(1)!);
    if (method !== 'mean-centred') expect(length).toBeCloseTo(1, 5);
    expect(set.recipe.method).toBe(method);
  });

  it.each([
    ['an empty side', [], negative, /both sides/],
    ['one side', positive, [], /both sides/],
    ['a text twice', [...positive, positive[0]!], negative, /twice/],
    ['a text on both sides', positive, [...negative, positive[0]!], /both sides of the contrast/],
  ])('refuse %s', async (_, plus, minus, message) => {
    const attempt = contrastVector({ model, positive: plus, negative: minus });
    await expect(attempt).rejects.toMatchObject({ code: 'BAD_DATASET' });
    await expect(attempt).rejects.toThrow(message);
  });

  it('refuse a layer that does not exist', async () => {
    await expect(contrastVector({ model, positive, negative, layers: [2] })).rejects.toMatchObject({
      code: 'UNKNOWN_HOOK',
    });
  });
});

describe('persona vectors', () => {
  const responses = (ending: number) =>
    rows(ending).map(({ tokens }, i) => ({
      prompt: tokens.slice(0, 2),
      response: tokens.slice(2),
      trait: ending === 50 ? 90 : 10,
      coherence: i === 0 ? 20 : 80,
    }));

  it('drop responses that contradict their side and read response tokens', async () => {
    const set = await personaVector({
      model,
      positive: responses(50),
      negative: [...responses(51), { prompt: [3], response: [4], trait: 99 }],
      layers: [1],
    });
    expect(set.kept).toEqual({ positive: 5, negative: 5 });
    const mean = async (ending: number): Promise<number[]> => {
      const sum = new Array<number>(16).fill(0);
      for (const { prompt, response } of responses(ending).slice(1)) {
        const h = (await residual([...prompt, ...response], 1)).slice(prompt.length);
        for (const line of h) for (const [j, x] of line.entries()) sum[j]! += x / h.length / 5;
      }
      return sum;
    };
    const [plus, minus] = [await mean(50), await mean(51)];
    set.directions.get(1)!.forEach((value, j) => {
      expect(value).toBeCloseTo(plus[j]! - minus[j]!, 5);
    });
  });

  it('refuse sets of which nothing is left', async () => {
    await expect(
      personaVector({ model, positive: responses(51), negative: responses(51) }),
    ).rejects.toMatchObject({ code: 'BAD_DATASET' });
  });
});

describe('truth heads', () => {
  it('shift each chosen head by alpha sigma along its direction', async () => {
    const { heads, plan } = await truthHeads({
      model,
      positive: rows(50, 14),
      negative: rows(51, 14),
      topHeads: 2,
      alpha: 3,
      seed: 1,
    });
    expect(heads).toHaveLength(4);
    expect(heads[0]!.accuracy).toBeGreaterThan(0.7);
    expect(heads[0]!.accuracy).toBeGreaterThanOrEqual(heads[3]!.accuracy);
    const operation = plan.operations[0]!;
    expect(operation).toMatchObject({ op: 'add', point: 'attn.hook_z', positions: 'last' });
    if (operation.op !== 'add') throw new Error('not an addition');
    expect(Math.hypot(...operation.vector)).toBeCloseTo(heads[0]!.sigma, 5);
    expect(plan.operations).toHaveLength(2);
  });

  it('are at chance on labels without meaning', async () => {
    // Every text stands for both labels in turn: no head can tell.
    const mixed = [...rows(50, 10), ...rows(51, 10)];
    const { heads } = await truthHeads({
      model,
      positive: mixed.filter((_, i) => i % 2 === 0),
      negative: mixed.filter((_, i) => i % 2 === 1),
      topHeads: 1,
      seed: 1,
    });
    const mean = heads.reduce((sum, { accuracy }) => sum + accuracy, 0) / heads.length;
    expect(mean).toBeLessThan(0.85);
  });
});
