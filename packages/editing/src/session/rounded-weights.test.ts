// A backend that rounds weights to 8 bits: edits of weights are refused with the remedy, and the remedy works.
import { useBackend } from '@safeinfer/backend';
import { loadPocket } from '@safeinfer/pocket';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, describe, expect, it } from 'vitest';
import { EditSession } from './edit-session.ts';

const REQUEST = { prompt: 'The capital of {} is', subject: 'France', targetNew: 'Lisbon' };
const METHOD = { kind: 'rome', layer: 5, factToken: 'last', keys: 'prompt', steps: 2 } as const;

describe("backend ort with weights 'int8'", () => {
  afterAll(() => useBackend({ name: 'ort', weights: 'float32' }));

  it('refuses to edit weights and names the remedy, which works', async () => {
    await useBackend({ name: 'ort', weights: 'int8' });
    using pocket = await loadPocket();
    const { model } = pocket;
    using session = new EditSession(model);
    const refusal = {
      code: 'UNSUPPORTED',
      message: expect.stringContaining('int8') as string,
      hint: expect.stringMatching(/sidePath.*weights: 'float32'/) as string,
    };
    const tensors = tf.memory().numTensors;
    await expect(session.edit(REQUEST, METHOD)).rejects.toMatchObject(refusal);
    const { dMlp, dModel } = model.config;
    const delta = {
      weight: 'blocks.5.mlp.W_out',
      left: new Float64Array(dMlp).fill(1e-3),
      right: new Float64Array(dModel).fill(1e-3),
    } as const;
    await expect(session.apply([delta])).rejects.toMatchObject(refusal);
    expect(session.edits).toEqual([]);
    expect(tf.memory().numTensors).toBe(tensors);
    // The first remedy of the hint; the second is every other test.
    using side = new EditSession(model, { mode: 'sidePath' });
    const record = await side.edit(REQUEST, METHOD);
    expect(side.edits).toEqual([record.id]);
  });
});
