// FT-L and FT-M: fine-tuning of one MLP down projection with a bound on every entry's change.
import { SafeInferError, throwIfAborted } from '@safeinfer/backend';
import { discardTape, type Transformer, type WeightName } from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import type { DenseDelta } from '../delta/weight-delta.ts';
import type { EditRequest } from '../request/edit-request.ts';
import { checkLayer, prepareEdit } from '../request/prepare-edit.ts';
import { createAdam } from '../value/adam.ts';

export interface FineTuneOptions {
  readonly model: Transformer;
  readonly request: EditRequest;
  readonly layer: number;
  /**
   * `target` (FT-M): teacher-forced mean over the target's tokens. `promptLast` (FT-L as published): all target tokens
   * scored at the prompt's last position, which is wrong for targets of several tokens; kept for comparison.
   */
  readonly objective: 'target' | 'promptLast';
  /** Largest change of one entry of the weight; undefined leaves it unbounded. */
  readonly epsilon?: number;
  /** Default 25. */
  readonly steps?: number;
  /** Default 5e-4. */
  readonly learningRate?: number;
  /** Stop below this loss. Default 1e-2. */
  readonly stopLoss?: number;
  readonly signal?: AbortSignal;
}

export interface FineTuneEdit {
  readonly request: EditRequest;
  readonly layer: number;
  readonly delta: DenseDelta;
  /** Loss before each update. */
  readonly losses: readonly number[];
  /** Share of entries at the bound. */
  readonly clampedFraction: number;
}

/**
 * Computes an edit; the model is left as it was (reference: kmeng01/rome baselines/ft, EasyEdit FT-M).
 * @throws BAD_ARGUMENT, BAD_TOKENIZER, NON_FINITE, ABORTED
 */
export async function fineTune(options: FineTuneOptions): Promise<FineTuneEdit> {
  const { model, layer, objective, epsilon = Number.POSITIVE_INFINITY } = options;
  const { steps = 25, learningRate = 5e-4, stopLoss = 1e-2, signal } = options;
  checkLayer(model, layer);
  if (!(epsilon > 0) || !(learningRate > 0) || !Number.isInteger(steps) || steps < 1) {
    throw new SafeInferError('epsilon and learningRate are positive, steps a whole number from 1', {
      code: 'BAD_ARGUMENT',
      hint: 'published: epsilon 5e-4 for gpt2-xl, learning rate 5e-4, 25 steps',
    });
  }
  const { request, contexts, target } = prepareEdit({
    model,
    request: options.request,
    // The lookup is not used; every prompt has a last token.
    factToken: 'last',
    contextTemplates: ['{}'],
  });
  const prompt = contexts[0]!.tokens;
  const name: WeightName = `blocks.${layer}.mlp.W_out`;
  const shape = model.weights.get(name)!.shape as [number, number];
  const original = Float64Array.from(await model.weights.get(name)!.data());
  const weight = Float64Array.from(original);
  const adam = createAdam({ size: weight.length, learningRate });
  const losses: number[] = [];
  for (let step = 0; step < steps; step += 1) {
    throwIfAborted(signal);
    const { loss, gradient } = await differentiate({
      model,
      name,
      values: tf.tensor2d(Float32Array.from(weight), shape),
      tokens: objective === 'target' ? [...prompt, ...target.slice(0, -1)] : prompt,
      positions: target.map((_, t) => prompt.length - 1 + (objective === 'target' ? t : 0)),
      target,
    });
    if (!Number.isFinite(loss)) {
      throw new SafeInferError(`the loss is ${loss} at step ${step}`, {
        code: 'NON_FINITE',
        hint: 'lower the learning rate',
      });
    }
    losses.push(loss);
    if (loss < stopLoss) break;
    adam.step(weight, gradient);
    for (let i = 0; i < weight.length; i += 1) {
      const start = original[i]!;
      weight[i] = Math.min(start + epsilon, Math.max(start - epsilon, weight[i]!));
    }
  }
  const dense = weight.map((x, i) => {
    // Start + epsilon - start may round past epsilon; the bound is on the change.
    return Math.min(epsilon, Math.max(-epsilon, x - original[i]!));
  });
  const atBound = dense.reduce((n, x) => n + (Math.abs(x) > epsilon * (1 - 1e-12) ? 1 : 0), 0);
  return {
    request,
    layer,
    delta: { weight: name, dense, shape },
    losses,
    clampedFraction: atBound / dense.length,
  };
}

/** Mean NLL of the target at the given positions, and its gradient by the weight. Disposes `values`. */
async function differentiate(options: {
  readonly model: Transformer;
  readonly name: WeightName;
  readonly values: tf.Tensor2D;
  readonly tokens: readonly number[];
  readonly positions: readonly number[];
  readonly target: readonly number[];
}): Promise<{ readonly loss: number; readonly gradient: Float64Array }> {
  const { model, name, values, tokens, positions, target } = options;
  let result: { value: tf.Tensor; grad: tf.Tensor };
  try {
    result = tf.tidy(() =>
      tf.valueAndGrad((weight: tf.Tensor) => {
        const { logits } = model.trace({
          rows: [{ tokens }],
          logits: 'all',
          weights: new Map([[name, weight]]),
        });
        const rows = tf.gather(logits, tf.tensor1d([...positions], 'int32'));
        const picked = tf.mul(
          tf.logSoftmax(rows),
          tf.oneHot(tf.tensor1d([...target], 'int32'), model.config.vocabSize),
        );
        return tf.div(tf.neg(tf.sum(picked)), target.length);
      })(values),
    );
  } catch (error) {
    discardTape();
    throw error;
  } finally {
    values.dispose();
  }
  try {
    const [loss] = await result.value.data();
    return { loss: loss!, gradient: Float64Array.from(await result.grad.data()) };
  } finally {
    tf.dispose([result.value, result.grad]);
  }
}
