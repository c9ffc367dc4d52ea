// What the model without steering says of an answer's tokens: one pass over the finished answer.
import { throwIfAborted } from '@safeinfer/backend';
import type { Transformer } from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';

/** Natural logs, one a token of `answer`. */
export async function unsteeredLogprobs(options: {
  readonly model: Transformer;
  readonly prompt: readonly number[];
  readonly answer: readonly number[];
  readonly signal?: AbortSignal | undefined;
}): Promise<number[]> {
  const { model, prompt, answer, signal } = options;
  if (answer.length === 0) return [];
  throwIfAborted(signal);
  using result = model.forward([{ tokens: [...prompt, ...answer.slice(0, -1)] }], {
    logits: 'all',
    ...(signal ? { signal } : {}),
  });
  const chosen = tf.tidy(() => {
    const logits = tf.slice(result.logits(0), [prompt.length - 1, 0], [answer.length, -1]);
    const own = tf.sum(
      tf.mul(logits, tf.oneHot(tf.tensor1d([...answer], 'int32'), logits.shape[1]!)),
      1,
    );
    return tf.sub(own, tf.logSumExp(logits, 1));
  });
  try {
    return Array.from(await chosen.data());
  } finally {
    chosen.dispose();
  }
}
