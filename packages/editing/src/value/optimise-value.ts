// The value v*: the MLP output that makes the model say the new object (ROME Eq. 4), found by Adam on a shift delta.
import { SafeInferError, throwIfAborted } from '@safeinfer/backend';
import type { HookName, Row, Transformer } from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import { norm } from '../linear-algebra/vector.ts';
import type { LocatedPrompt } from '../request/lookup-index.ts';
import { createAdam } from './adam.ts';

export interface ValueOptions {
  readonly learningRate: number;
  /** At most steps - 1 updates: the loss is looked at before each (reference behaviour). */
  readonly steps: number;
  readonly klFactor: number;
  /** Weight of |delta| / |initial value|^2. */
  readonly weightDecay: number;
  /** Limit of |delta| as a multiple of the initial value's norm. */
  readonly clampFactor: number;
  /** Stop below this loss. The reference stops at 0.05. */
  readonly stopLoss: number;
}

/** Common hyper-parameters of every published ROME preset; steps and decay are the Llama-class ones. */
export const VALUE_DEFAULTS: ValueOptions = {
  learningRate: 0.5,
  steps: 25,
  klFactor: 0.0625,
  weightDecay: 1e-3,
  clampFactor: 4,
  stopLoss: 0.05,
};

/** The options a caller gave, completed. @throws BAD_ARGUMENT naming a number that means nothing */
export function valueSettings(given: Partial<ValueOptions>, base: ValueOptions): ValueOptions {
  const settings: ValueOptions = {
    learningRate: given.learningRate ?? base.learningRate,
    steps: given.steps ?? base.steps,
    klFactor: given.klFactor ?? base.klFactor,
    weightDecay: given.weightDecay ?? base.weightDecay,
    clampFactor: given.clampFactor ?? base.clampFactor,
    stopLoss: given.stopLoss ?? base.stopLoss,
  };
  for (const [name, value] of Object.entries(settings)) {
    const fits = Number.isFinite(value) && value >= 0 && (name !== 'steps' || value >= 1);
    if (fits && (name !== 'steps' || Number.isInteger(value))) continue;
    throw new SafeInferError(`${name} is ${value}`, {
      code: 'BAD_ARGUMENT',
      hint: 'hyper-parameters are finite and not negative; steps is a whole number from 1',
    });
  }
  return settings;
}

export interface OptimisedValue {
  /** dModel numbers: initial value + delta. */
  readonly value: Float64Array;
  readonly delta: Float64Array;
  /** What the point held at the lookup token of the bare prompt. */
  readonly initial: Float64Array;
  /** Loss before each update. */
  readonly losses: readonly number[];
}

/** The MLP module's own output, to which the edited projection writes directly. */
export function valuePoint(model: Transformer, layer: number): HookName {
  return model.config.block.postNorm
    ? `blocks.${layer}.hook_mlp_out_raw`
    : `blocks.${layer}.hook_mlp_out`;
}

/**
 * Minimises  mean NLL(target | context, delta) + klFactor KL(p_delta || p_0) + weightDecay |delta| / |v_0|^2
 * over delta added at each row's lookup token: to the MLP output of `layer` (ROME; reference: kmeng01/rome
 * compute_v) or to another point, for MEMIT and its kin the block's output (kmeng01/memit compute_z).
 * `contexts[0]` is the bare prompt. The KL row keeps what the model says of the subject in general.
 */
export async function optimiseValue(options: {
  readonly model: Transformer;
  readonly layer: number;
  readonly contexts: readonly LocatedPrompt[];
  readonly target: readonly number[];
  readonly essence: LocatedPrompt;
  readonly settings: ValueOptions;
  /** Where delta is added. Default: the MLP output. */
  readonly at?: HookName;
  readonly signal?: AbortSignal | undefined;
}): Promise<OptimisedValue> {
  const { model, layer, contexts, target, essence, settings } = options;
  const point = options.at ?? valuePoint(model, layer);
  const { dModel, vocabSize } = model.config;
  const inputs = [
    ...contexts.map(({ tokens }) => [...tokens, ...target.slice(0, -1)]),
    [...essence.tokens],
  ];
  const lookups = [...contexts.map(({ lookup }) => lookup), essence.lookup];
  const klRow = contexts.length;

  const first = model.forward([{ tokens: inputs[0]! }, { tokens: inputs[klRow]! }], {
    capture: [point],
    logits: 'all',
  });
  let initial: Float64Array;
  let initialLogProbs: Float32Array;
  try {
    const values = (await first.captured(0, point).data()) as Float32Array;
    initial = Float64Array.from(values.subarray(lookups[0]! * dModel, (lookups[0]! + 1) * dModel));
    const logits = tf.tidy(() =>
      tf.logSoftmax(tf.slice(first.logits(1), [lookups[klRow]!, 0], [1, vocabSize])),
    );
    initialLogProbs = (await logits.data()) as Float32Array;
    logits.dispose();
  } finally {
    first.dispose();
  }
  // Everything before the edited block is the same at every step: it is run once.
  const entry: HookName = `blocks.${layer}.hook_resid_pre`;
  using below =
    layer === 0
      ? undefined
      : model.forward(
          inputs.map((tokens) => ({ tokens })),
          { capture: [entry], logits: 'none' },
        );
  const start = below && {
    startAtLayer: layer,
    residuals: inputs.map((_, row) => below.captured(row, entry) as tf.Tensor2D),
  };
  const logitPositions = [
    ...contexts.map(({ tokens }) => target.map((_, t) => tokens.length - 1 + t)),
    [essence.lookup],
  ];

  const delta = new Float64Array(dModel);
  const initialNorm = norm(initial);
  const adam = createAdam({ size: dModel, learningRate: settings.learningRate });
  const losses: number[] = [];
  for (let step = 0; step < settings.steps; step += 1) {
    throwIfAborted(options.signal);
    const vector = Float32Array.from(delta);
    const rows = inputs.map(
      (tokens, row): Row => ({
        tokens,
        interventions: [{ at: point, op: 'add', vector, positions: [lookups[row]!] }],
      }),
    );
    const result = model.gradients({
      rows,
      at: [point],
      logits: 'all',
      logitPositions,
      ...start,
      of: ({ logits }) => {
        const losses = contexts.map((_, row) => negativeLogLikelihood(logits(row), target));
        const kl = divergence(logits(klRow), initialLogProbs);
        return tf.add(
          tf.div(tf.addN(losses), contexts.length),
          tf.mul(kl, settings.klFactor),
        ) as tf.Scalar;
      },
    });
    const gradient = new Float64Array(dModel);
    let loss: number;
    try {
      loss = (await result.value.data())[0]!;
      for (const [row, lookup] of lookups.entries()) {
        const values = (await result.grad(row, point).data()) as Float32Array;
        for (let i = 0; i < dModel; i += 1) gradient[i]! += values[lookup * dModel + i]!;
      }
    } finally {
      result.dispose();
    }
    const deltaNorm = norm(delta);
    loss += (settings.weightDecay * deltaNorm) / initialNorm ** 2;
    if (!Number.isFinite(loss)) {
      throw new SafeInferError(`the edit's loss is ${loss} at step ${step}`, {
        code: 'NON_FINITE',
        hint: 'lower the learning rate or the clamp',
      });
    }
    losses.push(loss);
    if (loss < settings.stopLoss || step === settings.steps - 1) break;
    // |delta| has no gradient at 0; PyTorch takes 0 there.
    if (deltaNorm > 0) {
      const scale = settings.weightDecay / (initialNorm ** 2 * deltaNorm);
      for (let i = 0; i < dModel; i += 1) gradient[i]! += scale * delta[i]!;
    }
    adam.step(delta, gradient);
    const limit = settings.clampFactor * initialNorm;
    const size = norm(delta);
    if (size > limit) for (let i = 0; i < dModel; i += 1) delta[i]! *= limit / size;
  }
  return { value: initial.map((x, i) => x + delta[i]!), delta, initial, losses };
}

/** -sum over target tokens of log p / T, from logits [T, V]. */
function negativeLogLikelihood(logits: tf.Tensor2D, target: readonly number[]): tf.Tensor {
  const [, width] = logits.shape;
  const picked = tf.mul(tf.logSoftmax(logits), tf.oneHot(tf.tensor1d([...target], 'int32'), width));
  return tf.div(tf.neg(tf.sum(picked)), target.length);
}

/** KL(p_now || p_initial) from logits [1, V]: the reference's direction. */
function divergence(logits: tf.Tensor2D, initial: Float32Array): tf.Tensor {
  const now = tf.logSoftmax(logits);
  return tf.sum(tf.mul(tf.exp(now), tf.sub(now, tf.tensor2d(initial, logits.shape))));
}
