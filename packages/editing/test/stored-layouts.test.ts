// Check 15: one function in two files, as Conv1D ([in, out], GPT-2) and as Linear ([out, in], GPT-NeoX): the same edit and
// the same edited function, also where d_in = d_out and a transposition would fit.
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { useBackend } from '@safeinfer/backend';
import {
  createModel,
  createRandomModel,
  loadModel,
  type ModelConfig,
  openSafetensors,
  randomConfig,
  saveModel,
  type Transformer,
  type WeightName,
} from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deltaShape, factorsOf } from '../src/delta/weight-delta.ts';
import { EditSession, memit, rome, type WeightDelta } from '../src/index.ts';
import { readLookups } from '../src/lookup/read-lookups.ts';
import { prepareEdit } from '../src/request/prepare-edit.ts';
import { figure } from './figures.ts';
import { product, relativeError } from './golden-model.ts';

const tokenizer = fileURLToPath(new URL('../fixtures/gpt2/tokenizer', import.meta.url));
const REQUEST = { prompt: 'q q {} n .', subject: '. m S', targetNew: 'u l' };
const SETTINGS = { contextTemplates: ['{}', 'y $ M {}', 'T 2 {}'], steps: 6 };
const LAYER = 1;
/** Where each file keeps the edited projection. */
const STORED = {
  conv1d: `transformer.h.${LAYER}.mlp.c_proj.weight`,
  linear: `gpt_neox.layers.${LAYER}.mlp.dense_4h_to_h.weight`,
} as const;

type Layout = keyof typeof STORED;

/** GPT-2 without positions, and the NeoX configuration that computes the same: its rotations are by 1e-12. */
function twins(dMlp: number): Readonly<Record<Layout, Transformer>> {
  const sizes = { dModel: 16, nHeads: 4, dMlp, nLayers: 3, vocabSize: 96, like: 'gpt2' } as const;
  const conv1d = createRandomModel({ config: sizes, seed: 15 });
  const { maxPositions, dModel, dHead } = conv1d.config;
  conv1d.setWeight('pos_embed.W_pos', tf.zeros([maxPositions, dModel]));
  const base: ModelConfig = randomConfig(sizes);
  const rotary = {
    dim: dHead,
    theta: 10_000,
    interleaved: false,
    scaling: { kind: 'linear', factor: 1e12 },
  } as const;
  const config: ModelConfig = {
    ...base,
    family: 'gpt-neox',
    positions: 'rotary',
    tiedEmbeddings: false,
    layers: base.layers.map((layer) => ({ ...layer, rotary })),
  };
  const weights = new Map<WeightName, tf.Tensor>();
  for (const [name, tensor] of conv1d.weights)
    if (name !== 'pos_embed.W_pos') weights.set(name, tensor.clone());
  weights.set('unembed.W_U', tf.transpose(conv1d.weights.get('embed.W_E')!));
  return { conv1d, linear: createModel({ config, weights }) };
}

async function logitsOf(model: Transformer): Promise<Float32Array> {
  using result = model.forward([{ tokens: [80, 83, 16, 79, 53, 80, 16] }], { logits: 'all' });
  return Float32Array.from(await result.logits(0).data());
}

function dense(delta: WeightDelta): Float64Array {
  const { lefts, rights } = factorsOf(delta)!;
  return product(lefts, rights);
}

describe.each([
  ['d_in = 4 d_out', 64],
  ['d_in = d_out', 16],
])('check 15: Conv1D and Linear, %s', (_, dMlp) => {
  const folder = mkdtempSync(join(tmpdir(), 'safeinfer-layouts-'));
  const path = (layout: Layout, part = 'model'): string => join(folder, `${layout}-${part}`);
  const models = new Map<Layout, Transformer>();
  beforeAll(async () => {
    await useBackend({ name: 'cpu' });
    for (const [layout, model] of Object.entries(twins(dMlp)) as [Layout, Transformer][]) {
      await saveModel(model, { path: path(layout) });
      model.dispose();
      cpSync(tokenizer, path(layout), { recursive: true });
      models.set(layout, await loadModel({ path: path(layout) }));
    }
  });
  afterAll(() => {
    for (const model of models.values()) model.dispose();
    rmSync(folder, { recursive: true, force: true });
  });
  const both = async <T>(
    work: (model: Transformer, layout: Layout) => Promise<T>,
  ): Promise<[T, T]> => [
    await work(models.get('conv1d')!, 'conv1d'),
    await work(models.get('linear')!, 'linear'),
  ];

  async function stored(layout: Layout, part?: string): Promise<tf.Tensor2D> {
    await using file = await openSafetensors(join(path(layout, part), 'model.safetensors'));
    const [rows, columns] = file.tensors.get(STORED[layout])!.shape as [number, number];
    return tf.tensor2d(Float32Array.from(await file.readFloat64(STORED[layout])), [rows, columns]);
  }

  /** Whether the two files hold each other's transpose, and not the same matrix. */
  async function expectTransposed(part?: string): Promise<void> {
    const [a, b] = [await stored('conv1d', part), await stored('linear', part)];
    expect(a.shape).toEqual([...b.shape].reverse());
    const [direct, turned] = tf.tidy(() => [a.dataSync(), tf.transpose(b).dataSync()]);
    if (part === undefined) expect(turned).toEqual(direct);
    expect(relativeError(turned!, direct!)).toBeLessThan(1e-6);
    expect(relativeError(b.dataSync(), direct!)).toBeGreaterThan(0.1);
    tf.dispose([a, b]);
  }

  it('the files differ in orientation and compute the same', async () => {
    await expectTransposed();
    const [a, b] = await both(logitsOf);
    expect(figure(15, 'unedited logits, relative', relativeError(b, a))).toBeLessThan(1e-6);
  });

  it.each(['rome', 'memit'] as const)(
    '%s gives the same change and the same logits',
    async (kind) => {
      const deltas = await both(async (model) => {
        if (kind === 'rome') {
          return [(await rome({ model, request: REQUEST, layer: LAYER, ...SETTINGS })).delta];
        }
        const moments = new Map([0, LAYER].map((layer) => [layer, { kind: 'identity' as const }]));
        const edit = await memit({
          ...{ model, requests: [REQUEST], layers: [0, LAYER], lambda: 1, moments, ...SETTINGS },
        });
        return edit.deltas;
      });
      for (const [i, delta] of deltas[0].entries()) {
        const error = relativeError(dense(deltas[1][i]!), dense(delta));
        expect(figure(15, `${kind} delta, relative`, error)).toBeLessThan(1e-5);
      }
      const [plain] = await both(logitsOf);
      // One delta in both files, and each file's own.
      for (const [own, limit] of [
        [false, 1e-6],
        [true, 1e-5],
      ] as const) {
        const [a, b] = await both(async (model, layout) => {
          using session = new EditSession(model);
          await session.apply(deltas[own && layout === 'linear' ? 1 : 0]);
          if (own) await saveModel(model, { path: path(layout, kind) });
          return await logitsOf(model);
        });
        const what = own ? 'own deltas' : 'one delta';
        expect(figure(15, `logits, ${kind}, ${what}, relative`, relativeError(b, a))).toBeLessThan(
          limit,
        );
        expect(relativeError(a, plain)).toBeGreaterThan(1e-3);
      }
      await expectTransposed(kind);
    },
  );

  it('W_new k + b = v* in both; the transposed change fits where d_in = d_out and is wrong', async () => {
    for (const model of models.values()) {
      const edit = await rome({
        model,
        request: REQUEST,
        layer: LAYER,
        keys: 'prompt',
        ...SETTINGS,
      });
      const { contexts } = prepareEdit({
        ...{ model, request: REQUEST, factToken: 'subjectLast', contextTemplates: ['{}'] },
      });
      const missed = async (deltas: readonly WeightDelta[]): Promise<number> => {
        using session = new EditSession(model);
        await session.apply(deltas);
        const [outputs] = await readLookups({
          model,
          rows: contexts,
          points: [`blocks.${LAYER}.hook_mlp_out`],
        });
        return relativeError(outputs![0]!, edit.value.value);
      };
      expect(
        figure(15, 'W_new k + b against v*, relative', await missed([edit.delta])),
      ).toBeLessThan(1e-5);
      const { weight, left, right } = edit.delta;
      const turned = { weight, left: right, right: left };
      const [inputs, outputs] = deltaShape(edit.delta);
      if (inputs === outputs) {
        const away = figure(
          15,
          'the transposed change, relative',
          await missed([turned]),
          'control',
        );
        expect(away).toBeGreaterThan(0.01);
      } else await expect(missed([turned])).rejects.toMatchObject({ code: 'WRONG_MODEL' });
    }
  });
});
