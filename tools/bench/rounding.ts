// What 8-bit weights do to the logits of the Llama-shaped random model: `rounding.ts [int8]`.
import { useBackend } from '@safeinfer/backend';
import type { OrtBackend } from '@safeinfer/backend-ort';
import * as tf from '@tensorflow/tfjs-core';
import { buildModel, CONFIGS } from './model-shapes.ts';

const tokens = Array.from({ length: 32 }, (_, i) => (i * 7919) % CONFIGS.llama.vocabSize);

/** Logits [32, V] of one prompt. */
async function logits(weights: 'float32' | 'int8'): Promise<Float32Array> {
  await useBackend({ name: 'ort', threads: 2, weights });
  using model = buildModel(CONFIGS.llama);
  using result = model.forward([{ tokens }], { logits: 'all' });
  return Float32Array.from(await result.logits(0).data());
}

const exact = await logits('float32');
const rounded = await logits('int8');
const width = CONFIGS.llama.vocabSize;
let errors = 0;
let squares = 0;
let divergence = 0;
let agree = 0;
for (let start = 0; start < exact.length; start += width) {
  const p = exact.subarray(start, start + width);
  const q = rounded.subarray(start, start + width);
  const mean = p.reduce((sum, value) => sum + value, 0) / width;
  for (let i = 0; i < width; i++) {
    errors += (p[i]! - q[i]!) ** 2;
    squares += (p[i]! - mean) ** 2;
  }
  const [lp, lq] = [logNormaliser(p), logNormaliser(q)];
  for (let i = 0; i < width; i++) divergence += Math.exp(p[i]! - lp) * (p[i]! - lp - q[i]! + lq);
  agree += Number(argMax(p) === argMax(q));
}
const rows = exact.length / width;
const cost = (tf.backend() as OrtBackend).weightRoundingError();
console.log(`weights: ${(100 * cost).toFixed(2)} % (root mean square, relative)`);
console.log(`logits: ${(100 * Math.sqrt(errors / squares)).toFixed(2)} % of their spread`);
console.log(
  `KL divergence ${(divergence / rows).toExponential(2)} nats a token; same first choice ${agree} of ${rows}`,
);

function logNormaliser(values: Float32Array): number {
  const largest = values.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  return largest + Math.log(values.reduce((sum, value) => sum + Math.exp(value - largest), 0));
}

function argMax(values: Float32Array): number {
  return values.reduce((best, value, i) => (value > values[best]! ? i : best), 0);
}
