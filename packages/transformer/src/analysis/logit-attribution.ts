// Direct logit attribution: how much each component of the residual stream adds to a logit.
import { SafeInferError } from '@safeinfer/backend';
import * as tf from '@tensorflow/tfjs-core';
import type { CapturedRow } from './captured-row.ts';
import type { ComponentStack } from './component-stack.ts';
import { scaledByFinalNorm, unembeddingDirection } from './final-norm.ts';

/** Owns its tensor. */
export interface LogitAttribution extends Disposable {
  /** The stack's labels, then `bias`: the final norm's and the unembedding's. */
  readonly labels: readonly string[];
  /** [components + 1, p]; the sum over the first axis is the logit (difference) before a final soft-cap. */
  readonly values: tf.Tensor2D;
  dispose(): void;
}

/**
 * Contributions of a decomposition to the logit of `token`, or to its lead over `against`, at every
 * position. All components share the stream's captured final scale, so they add up exactly when the
 * stack is a decomposition of the final stream. Needs a pass that captured `ln_final.hook_scale`.
 */
export function logitAttribution(
  options: CapturedRow & {
    readonly stack: ComponentStack;
    readonly token: number;
    readonly against?: number;
  },
): LogitAttribution {
  const { model, result, row = 0, stack, token, against } = options;
  for (const id of against === undefined ? [token] : [token, against]) {
    if (Number.isInteger(id) && id >= 0 && id < model.config.vocabSize) continue;
    throw new SafeInferError(`token ${id} is not in a vocabulary of ${model.config.vocabSize}`, {
      code: 'BAD_ARGUMENT',
      hint: 'give token ids, as the tokenizer returns them',
    });
  }
  const values = tf.tidy(() => {
    const direction = directionOf(model, token, against);
    const scale = result.captured(row, 'ln_final.hook_scale');
    const [components, tokens, width] = stack.stack.shape;
    const scaled = scaledByFinalNorm(model, stack.stack, scale);
    const column: tf.Tensor2D = tf.reshape(direction, [width, 1]);
    const flat: tf.Tensor2D = tf.reshape(scaled, [components * tokens, width]);
    const direct: tf.Tensor2D = tf.reshape(tf.matMul(flat, column), [components, tokens]);
    const bias = biasOf(options, direction);
    return tf.concat([direct, tf.mul(tf.ones([1, tokens]), bias) as tf.Tensor2D], 0);
  });
  return {
    labels: [...stack.labels, 'bias'],
    values,
    dispose: () => values.dispose(),
    [Symbol.dispose]: () => values.dispose(),
  };
}

function directionOf(
  model: CapturedRow['model'],
  token: number,
  against: number | undefined,
): tf.Tensor1D {
  const direction = unembeddingDirection(model, token);
  return against === undefined
    ? direction
    : tf.sub(direction, unembeddingDirection(model, against));
}

/** What the logit is when every component is zero. */
function biasOf(
  { model, token, against }: CapturedRow & { readonly token: number; readonly against?: number },
  direction: tf.Tensor1D,
): tf.Tensor {
  const normBias = model.weights.get('ln_final.b');
  const fromNorm = normBias === undefined ? tf.scalar(0) : tf.sum(tf.mul(normBias, direction));
  const bias = model.weights.get('unembed.b_U');
  if (bias === undefined) return fromNorm;
  const at = (id: number): tf.Tensor => tf.reshape(tf.slice(bias, [id], [1]), []);
  const own = against === undefined ? at(token) : tf.sub(at(token), at(against));
  return tf.add(fromNorm, own);
}
