import { useBackend } from '@safeinfer/backend';
import { loadPocket, type Pocket } from '@safeinfer/pocket';
import { createRandomModel } from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { locatePrompt } from '../request/lookup-index.ts';
import { contextTemplates } from './context-templates.ts';

let pocket: Pocket;
beforeAll(async () => {
  await useBackend({ name: 'ort', threads: 1 });
  pocket = await loadPocket();
});
afterAll(() => pocket.dispose());

it("makes MEMIT's six templates, the same for the same seed, usable as they are", async () => {
  const { model } = pocket;
  const before = tf.memory().numTensors;
  const make = (seed: number): Promise<string[]> =>
    contextTemplates({ model, seed, style: 'memit', lengths: [[4, 5]] });
  const templates = await make(1);
  expect(templates).toEqual(await make(1));
  expect(templates).not.toEqual(await make(2));
  expect(tf.memory().numTensors).toBe(before);
  expect(templates).toHaveLength(6);
  expect(templates[0]).toBe('{}');
  for (const template of templates) {
    expect(template.split('{}')).toHaveLength(2);
    locatePrompt({ model, template, subject: 'France', factToken: 'subjectLast' });
  }
  expect(templates[1]).toMatch(/^The.*\. \{\}$/s);
});

it("makes ROME's from the start token", async () => {
  const templates = await contextTemplates({
    model: pocket.model,
    seed: 3,
    style: 'rome',
    lengths: [
      [3, 2],
      [5, 1],
    ],
  });
  expect(templates).toHaveLength(4);
});

it('refuses a model without a start token for ROME', async () => {
  using model = createRandomModel({ seed: 1 });
  await expect(contextTemplates({ model, seed: 1, style: 'rome' })).rejects.toMatchObject({
    code: 'BAD_TOKENIZER',
  });
});
