import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { onBackend } from '../../test/on-backend.ts';
import { fixtureModel, readFixture } from '../../test/parity/fixture.ts';
import { hasSharedModel, sharedModel } from '../../test/shared-data.ts';
import { loadModel } from './load-model.ts';
import { saveModel } from './save-model.ts';

onBackend('cpu');

async function inTemporary(use: (path: string) => Promise<void>): Promise<void> {
  const path = await mkdtemp(join(tmpdir(), 'safeinfer-save-'));
  try {
    await use(path);
  } finally {
    await rm(path, { recursive: true });
  }
}

const families = ['gpt2', 'gpt-neox', 'gptj', 'llama', 'qwen3', 'gemma3', 'phi', 'phi3', 'olmo2'];

it.each(families)('a saved %s model loads with the same logits, bit for bit', async (family) => {
  const before = tf.memory().numTensors;
  const model = fixtureModel(await readFixture(family));
  const tokens = [3, 1, 4, 1, 5, 9, 2, 6];
  await inTemporary(async (path) => {
    await saveModel(model, { path });
    using again = await loadModel({ path });
    expect(again.config).toEqual(model.config);
    using a = model.forward([{ tokens }]);
    using b = again.forward([{ tokens }]);
    expect(await b.logits(0).array()).toEqual(await a.logits(0).array());
  });
  model.dispose();
  expect(tf.memory().numTensors).toBe(before);
});

it.runIf(hasSharedModel('stories260K-hf'))(
  'a tokenizer is copied, and 16-bit weights are near',
  async () => {
    const source = sharedModel('stories260K-hf');
    using model = await loadModel({ path: source });
    await inTemporary(async (path) => {
      await saveModel(model, { path, dtype: 'BF16', tokenizerFrom: source });
      using again = await loadModel({ path });
      expect(again.tokenizer?.encode('Once upon a time')).toEqual([1, 403, 407, 261, 378]);
      using a = model.forward([{ tokens: 'Once upon a time' }]);
      using b = again.forward([{ tokens: 'Once upon a time' }]);
      const worst = tf.tidy(() => tf.sub(a.logits(0), b.logits(0)).abs().max().dataSync()[0]);
      expect(worst).toBeLessThan(0.5);
      expect(worst).toBeGreaterThan(0);
    });
  },
);

it('weights split over files load again, and an abort leaves the earlier model as it was', async () => {
  const model = fixtureModel(await readFixture('llama'));
  const tokens = [3, 1, 4, 1, 5];
  await inTemporary(async (path) => {
    await saveModel(model, { path, maxShardBytes: 20_000 });
    expect(
      (await readdir(path)).filter((name) => name.endsWith('.safetensors')).length,
    ).toBeGreaterThan(1);
    const controller = new AbortController();
    const attempt = saveModel(model, {
      path,
      dtype: 'BF16',
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    await expect(attempt).rejects.toMatchObject({ code: 'ABORTED' });
    using again = await loadModel({ path });
    using a = model.forward([{ tokens }]);
    using b = again.forward([{ tokens }]);
    expect(await b.logits(0).array()).toEqual(await a.logits(0).array());
  });
  model.dispose();
});
