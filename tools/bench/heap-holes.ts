// What resident memory of a loaded model is made of, before and after its weights are packed: `heap-holes.ts`.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { useBackend } from '@safeinfer/backend';
import * as tf from '@tensorflow/tfjs-core';
import { buildModel, CONFIGS, weightBytes } from './model-shapes.ts';

/** Resident MB by what the memory is mapped for (Linux). */
function resident(): Record<'heap' | 'mapped' | 'files', number> {
  const sums = { heap: 0, mapped: 0, files: 0 };
  let kind: keyof typeof sums = 'mapped';
  for (const line of readFileSync('/proc/self/smaps', 'utf8').split('\n')) {
    const path = /^[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \S+ *(.*)$/.exec(line)?.[1];
    // The C library's main heap, arrays with mappings of their own, libraries.
    if (path !== undefined)
      kind = path === '[heap]' ? 'heap' : path[0] === '/' ? 'files' : 'mapped';
    sums[kind] += Number(/^Rss: +(\d+)/.exec(line)?.[1] ?? 0) / 1e3;
  }
  return sums;
}

async function report(label: string): Promise<void> {
  for (let i = 0; i < 3; i++) {
    globalThis.gc?.();
    await sleep(100);
  }
  const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
  const own = {
    rss: rss / 1e6,
    ...resident(),
    heapUsed: heapUsed / 1e6,
    arrayBuffers: arrayBuffers / 1e6,
  };
  const cells = Object.values(own).map((megabytes) => megabytes.toFixed(0));
  console.log(`| ${label} | ${cells.join(' | ')} |`);
}

await useBackend({ name: 'ort', threads: 2 });
tf.tidy(() => tf.add(tf.ones([100]), 1));
console.log(`weights ${(weightBytes(CONFIGS.llama) / 1e6).toFixed(0)} MB\n`);
console.log('| MB | resident | C heap | mapped | files | JS heap | arrays |');
console.log('|---|---|---|---|---|---|---|');
await report('before the model');
const model = buildModel(CONFIGS.llama);
await report('loaded');
const cache = model.createCache();
for (let step = 1; step <= 128; step++) {
  const result = model.forward([{ tokens: [step], cache }]);
  await result.lastLogits().data();
  result.dispose();
  if (step === 1 || step === 8 || step === 128) await report(`${step} steps`);
}
