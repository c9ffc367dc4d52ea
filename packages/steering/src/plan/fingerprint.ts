// What identifies a model and a plan: a vector works on the model it came from, and a cache key needs the plan.
import { createHash } from 'node:crypto';
import { SafeInferError } from '@safeinfer/backend';
import type { Transformer } from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import type { SteeringPlan } from './steering-plan.ts';

/** Numbers read of every weight: enough to tell fine-tunes apart without reading gigabytes. */
const SAMPLE = 64;

/**
 * sha256 over the configuration and the first 64 numbers of every weight. A fine-tune, an edit or another
 * checkpoint of the same shape gets another fingerprint unless it left all of those numbers alone.
 */
export async function modelFingerprint(model: Transformer): Promise<string> {
  const hash = createHash('sha256').update(canonical(model.config));
  for (const [name, weight] of model.weights) {
    const sample = tf.tidy(() => {
      const flat = weight.rank === 2 ? tf.slice(weight as tf.Tensor2D, [0, 0], [1, -1]) : weight;
      const line = tf.reshape(flat, [-1]);
      return tf.clone(tf.slice(line, [0], [Math.min(SAMPLE, line.size)]));
    });
    try {
      const values = (await sample.data()) as Float32Array;
      hash.update(name).update(Buffer.from(Float32Array.from(values).buffer));
    } finally {
      sample.dispose();
    }
  }
  return hash.digest('hex');
}

/** sha256 of everything a plan says: for cache keys and provenance. */
export function planHash(plan: SteeringPlan): string {
  return createHash('sha256').update(canonical(plan)).digest('hex');
}

/** sha256 of texts or tokens a vector is read from. */
export function dataHash(data: unknown): string {
  return createHash('sha256').update(canonical(data)).digest('hex');
}

/** Throws WRONG_MODEL when the plan says it was made on another model; `force` lets it pass. */
export async function checkMadeOn(options: {
  readonly plan: SteeringPlan;
  readonly model: Transformer;
  readonly force?: boolean;
}): Promise<void> {
  const { plan, model, force = false } = options;
  if (force || plan.model === undefined || plan.model === (await modelFingerprint(model))) return;
  throw new SafeInferError('this plan was made on another model (or on other weights of it)', {
    code: 'WRONG_MODEL',
    hint: 'build it again on this model, or pass force: true if you know that it transfers',
  });
}

/** JSON with sorted keys and numbers of typed arrays, so that equal data has equal text. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, entry: unknown) => {
    if (ArrayBuffer.isView(entry)) return { numbers: Array.from(entry as Float32Array) };
    if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) return entry;
    return Object.fromEntries(Object.entries(entry).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
