// What the model would predict if it stopped after each layer.
import { SafeInferError } from '@safeinfer/backend';
import * as tf from '@tensorflow/tfjs-core';
import { accumulatedResidual } from './accumulated-residual.ts';
import type { CapturedRow } from './captured-row.ts';
import { finalNorm, unembedded } from './final-norm.ts';

/** Owns its tensor. */
export interface LogitLens extends Disposable {
  /** `0_pre`, (`0_mid`), ..., `final_post`; the last one gives the model's own logits. */
  readonly labels: readonly string[];
  /** [layers, positions, V]. */
  readonly logits: tf.Tensor3D;
  dispose(): void;
}

/**
 * Logits read from every residual stream: final norm with each stream's own scale, unembedding with its
 * bias, and the final soft-cap where the model has one (nostalgebraist 2020, "interpreting GPT: the logit
 * lens"). Needs a pass that captured `analysisPoints(model)`.
 */
export function logitLens(
  options: CapturedRow & {
    readonly mid?: boolean;
    /** Tokens of the captured pass to read, negative from its end; default all. Keeps [layers, p, V] small. */
    readonly positions?: readonly number[];
  },
): LogitLens {
  using streams = accumulatedResidual(options);
  const { model, positions } = options;
  const tokens = streams.stack.shape[1];
  const logits = tf.tidy(() => {
    const index = positions?.map((position) => checkedToken(position, tokens));
    const chosen =
      index === undefined
        ? streams.stack
        : tf.gather(streams.stack, tf.tensor1d(index, 'int32'), 1);
    return unembedded(model, finalNorm(model, chosen)) as tf.Tensor3D;
  });
  return {
    labels: streams.labels,
    logits,
    dispose: () => logits.dispose(),
    [Symbol.dispose]: () => logits.dispose(),
  };
}

/** A token index from 0; negative ones count from the end. */
function checkedToken(position: number, tokens: number): number {
  const index = position < 0 ? tokens + position : position;
  if (Number.isInteger(index) && index >= 0 && index < tokens) return index;
  throw new SafeInferError(`position ${position} is not one of the ${tokens} captured tokens`, {
    code: 'BAD_ARGUMENT',
    hint: `use ${-tokens} to ${tokens - 1}`,
  });
}
