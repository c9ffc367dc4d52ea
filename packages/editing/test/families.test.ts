// Every architecture of the transformer package: ROME's constraint holds in its layout, MEMIT reaches the block output it
// optimised (also in parallel blocks), and where a norm stands behind the MLP MEMIT is refused instead of writing the wrong size.
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { useBackend } from '@safeinfer/backend';
import { loadModel, type Transformer } from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EditSession, memit, pmet, rome } from '../src/index.ts';
import { readLookups } from '../src/lookup/read-lookups.ts';
import { prepareEdit } from '../src/request/prepare-edit.ts';
import { valuePoint } from '../src/value/optimise-value.ts';
import { relativeError } from './golden-model.ts';

const FAMILIES = [
  ...[
    'gpt2',
    'gptj',
    'gpt-neox',
    'gpt-neox-sequential',
    'phi',
    'phi3',
    'llama',
    'llama3',
    'mistral',
  ],
  ...['smollm', 'qwen2', 'qwen3', 'gemma', 'gemma2', 'gemma3', 'olmo2'],
];
const POST_NORM = ['gemma2', 'gemma3', 'olmo2'];
const models = fileURLToPath(new URL('../../transformer/fixtures/', import.meta.url));
const tokenizer = fileURLToPath(new URL('../fixtures/gpt2/tokenizer', import.meta.url));
const REQUEST = { prompt: 'q q {} n .', subject: '. m S', targetNew: 'u l' };
const LAYER = 0;
const VALUE = { steps: 4, weightDecay: 0 };

describe.each(FAMILIES)('edits of a tiny %s', (family) => {
  let model: Transformer;
  beforeAll(async () => {
    await useBackend({ name: 'cpu' });
    const directory = mkdtempSync(join(tmpdir(), 'safeinfer-family-'));
    try {
      cpSync(join(models, family), directory, { recursive: true });
      cpSync(tokenizer, directory, { recursive: true });
      model = await loadModel({ path: directory });
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
  afterAll(() => model.dispose());

  /** A point at the looked-up token of the bare prompt. */
  async function at(point: ReturnType<typeof valuePoint>): Promise<Float64Array> {
    const { contexts } = prepareEdit({
      ...{ model, request: REQUEST, factToken: 'subjectLast', contextTemplates: ['{}'] },
    });
    const [rows] = await readLookups({ model, rows: contexts, points: [point] });
    return rows![0]!;
  }

  it('ROME: W_new k + b = v*, and the loss falls', async () => {
    const edit = await rome({ model, request: REQUEST, layer: LAYER, ...VALUE });
    expect(edit.losses.at(-1)!).toBeLessThan(edit.losses[0]!);
    const point = valuePoint(model, LAYER);
    expect(relativeError(await at(point), edit.value.value)).toBeGreaterThan(1e-3);
    using session = new EditSession(model);
    await session.apply([edit.delta]);
    expect(relativeError(await at(point), edit.value.value)).toBeLessThan(1e-5);
  });

  it('MEMIT reaches the block output, or is refused; PMET reaches the MLP output', async () => {
    const tensors = tf.memory().numTensors;
    const moments = new Map([[LAYER, { kind: 'identity' as const }]]);
    const options = {
      model,
      requests: [REQUEST],
      layers: [LAYER],
      lambda: 1e-6,
      moments,
      ...VALUE,
    };
    const reached = async (
      work: typeof memit | typeof pmet,
      point: ReturnType<typeof valuePoint>,
    ): Promise<number> => {
      const { deltas, values } = await work(options);
      using session = new EditSession(model);
      await session.apply(deltas);
      return relativeError(await at(point), values[0]!.value);
    };
    expect(model.config.block.postNorm).toBe(POST_NORM.includes(family));
    if (POST_NORM.includes(family)) {
      await expect(memit(options)).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    } else expect(await reached(memit, `blocks.${LAYER}.hook_resid_post`)).toBeLessThan(1e-4);
    expect(await reached(pmet, valuePoint(model, LAYER))).toBeLessThan(1e-4);
    expect(tf.memory().numTensors).toBe(tensors);
  });
});
