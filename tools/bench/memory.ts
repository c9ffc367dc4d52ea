// Resident memory of a loaded model on `ort`, and whether long decoding keeps it: `memory.ts [steps] [small]`.
import { setTimeout as sleep } from 'node:timers/promises';
import { useBackend } from '@safeinfer/backend';
import * as tf from '@tensorflow/tfjs-core';
import { buildModel, CONFIGS, weightBytes } from './model-shapes.ts';

const steps = Number(process.argv[2] ?? 10_000);
// The small model has 7 M parameters: ten thousand steps of it take half a minute.
const config =
  process.argv[3] === 'small'
    ? {
        ...CONFIGS.llama,
        vocabSize: 8000,
        dModel: 256,
        dHead: 64,
        nHeads: 4,
        nKvHeads: 4,
        nLayers: 4,
        dMlp: 704,
      }
    : CONFIGS.llama;
/** A context that the cache of one sequence reaches again and again, so that its growth does not count. */
const CONTEXT = 64;

async function resident(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    globalThis.gc?.();
    await sleep(100);
  }
  return process.memoryUsage().rss / 1e6;
}

await useBackend({ name: 'ort', threads: 2 });
tf.tidy(() => tf.add(tf.ones([100]), 1));
const empty = await resident();
const model = buildModel(config);
const weights = weightBytes(config) / 1e6;
const loaded = await resident();
console.log(`weights ${weights.toFixed(0)} MB; process ${empty.toFixed(0)} MB before the model`);
console.log(
  `loaded: +${(loaded - empty).toFixed(0)} MB = ${((loaded - empty) / weights).toFixed(3)}x`,
);
const tensors = tf.memory().numTensors;
for (let done = 0, next = 1; done < steps; ) {
  const cache = model.createCache();
  let tokens = [1, 2, 3];
  for (let i = 0; i < CONTEXT && done < steps; i++, done++) {
    const result = model.forward([{ tokens, cache }]);
    await result.lastLogits().data();
    result.dispose();
    tokens = [(done * 7919) % config.vocabSize];
  }
  cache.dispose();
  if (done < next && done < steps) continue;
  const now = await resident();
  const more = now - empty;
  console.log(
    `after ${done} steps: +${more.toFixed(0)} MB = ${(more / weights).toFixed(3)}x, ` +
      `${tf.memory().numTensors - tensors} tensors more`,
  );
  next = done * 2;
}
