// The two prompts of a patching experiment.
import { readTensor, SafeInferError } from '@safeinfer/backend';
import * as tf from '@tensorflow/tfjs-core';
import type { HookName } from '../hooks/hook-name.ts';
import type { Transformer } from '../model/transformer.ts';
import type { Metric } from './metric.ts';

export interface PromptPair {
  readonly model: Transformer;
  /** Token ids of the prompt whose activations are put in. */
  readonly clean: readonly number[];
  /** Token ids of the prompt that is run with them; as many tokens. */
  readonly corrupted: readonly number[];
  readonly metric: Metric;
}

/** Throws `BAD_ARGUMENT` unless both prompts have tokens, and equally many. */
export function checkPair({ clean, corrupted }: PromptPair): void {
  if (clean.length > 0 && clean.length === corrupted.length) return;
  throw new SafeInferError(
    `prompts of ${clean.length} and ${corrupted.length} tokens cannot be patched position by position`,
    {
      code: 'BAD_ARGUMENT',
      hint: 'choose prompts that tokenise to the same length, or patch positions that correspond',
    },
  );
}

/** The metric of last-token logits [rows, V], read. Throws `HOOK_RESULT` on another shape. */
export async function readMetric(metric: Metric, logits: tf.Tensor2D): Promise<Float32Array> {
  const [rows] = logits.shape;
  const values = tf.tidy(() => metric(logits));
  if (values.rank !== 1 || values.shape[0] !== rows) {
    const shape = values.shape.join(', ');
    values.dispose();
    throw new SafeInferError(`the metric returned [${shape}] for ${rows} rows`, {
      code: 'HOOK_RESULT',
      hint: 'a metric maps logits [rows, V] to one number a row, [rows]',
    });
  }
  try {
    return await readTensor(values, { finite: 'metric' });
  } finally {
    values.dispose();
  }
}

/** Activations of one prompt, read: [p, ...] or [h, q, k], row-major. */
export async function readActivations(
  model: Transformer,
  tokens: readonly number[],
  names: readonly HookName[],
): Promise<Map<HookName, Float32Array>> {
  using result = model.forward([{ tokens }], { capture: names, logits: 'none' });
  const values = new Map<HookName, Float32Array>();
  for (const name of names) values.set(name, await readTensor(result.captured(0, name)));
  return values;
}
