// Shifts at one or several points of a block, found together by Adam: what every value of an edit comes from.
import { SafeInferError, throwIfAborted } from '@safeinfer/backend';
import type { Gradients, HookName, Row, Transformer } from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import { norm } from '../linear-algebra/vector.ts';
import type { LocatedPrompt } from '../request/lookup-index.ts';
import { createAdam } from './adam.ts';
import type { OptimisedValue, ValueOptions } from './optimise-value.ts';

export interface ShiftOptions {
  readonly model: Transformer;
  readonly layer: number;
  /** Points inside block `layer`; each gets its own shift, clamp and decay. */
  readonly points: readonly HookName[];
  readonly contexts: readonly LocatedPrompt[];
  readonly target: readonly number[];
  readonly essence: LocatedPrompt;
  readonly settings: ValueOptions;
  /** PMET: the likelihood's weight, lowered from the step after every target token is the likeliest in every row. */
  readonly adaptive?: AdaptiveWeight;
  readonly signal?: AbortSignal | undefined;
}

export interface AdaptiveWeight {
  /** Weight of the negative log-likelihood: 1 as published. */
  readonly nllFactor: number;
  /** What it is multiplied by once the target is the likeliest: 0.1. */
  readonly settledFactor: number;
  /** Ends the search once the target is the likeliest and klFactor KL is at most this: 0.01. */
  readonly settledKl: number;
}

/** One optimised value for each point, in their order. @throws NON_FINITE, ABORTED */
export async function optimiseShifts(options: ShiftOptions): Promise<OptimisedValue[]> {
  const { model, layer, points, contexts, target, essence, settings, adaptive } = options;
  const { dModel } = model.config;
  const inputs = [
    ...contexts.map(({ tokens }) => [...tokens, ...target.slice(0, -1)]),
    [...essence.tokens],
  ];
  const lookups = [...contexts.map(({ lookup }) => lookup), essence.lookup];
  const klRow = contexts.length;
  const start = await unshifted({ model, points, inputs, lookups });
  const shifts = start.initials.map((initial) => ({
    initial,
    delta: new Float64Array(dModel),
    size: norm(initial),
    adam: createAdam({ size: dModel, learningRate: settings.learningRate }),
  }));

  // Everything before the edited block is the same at every step: it is run once.
  const entry: HookName = `blocks.${layer}.hook_resid_pre`;
  using below =
    layer === 0
      ? undefined
      : model.forward(
          inputs.map((tokens) => ({ tokens })),
          { capture: [entry], logits: 'none' },
        );
  const from = below && {
    startAtLayer: layer,
    residuals: inputs.map((_, row) => below.captured(row, entry) as tf.Tensor2D),
  };
  const logitPositions = [
    ...contexts.map(({ tokens }) => target.map((_, t) => tokens.length - 1 + t)),
    [essence.lookup],
  ];
  const losses: number[] = [];
  let nllFactor = adaptive?.nllFactor ?? 1;

  for (let step = 0; step < settings.steps; step += 1) {
    throwIfAborted(options.signal);
    const vectors = shifts.map(({ delta }) => Float32Array.from(delta));
    if (!vectors.every((vector) => vector.every(Number.isFinite))) {
      throw ranAway(`the value overflows float32 at step ${step}`);
    }
    const rows = inputs.map(
      (tokens, row): Row => ({
        tokens,
        interventions: points.map((at, p) => ({
          at,
          op: 'add',
          vector: vectors[p]!,
          positions: [lookups[row]!],
        })),
      }),
    );
    const kept: tf.Tensor[] = [];
    const gradients = points.map(() => new Float64Array(dModel));
    let loss: number;
    let settled = false;
    let weightedKl = 0;
    let result: Gradients | undefined;
    try {
      result = model.gradients({
        rows,
        at: points,
        logits: 'all',
        logitPositions,
        ...from,
        of: ({ logits }) => {
          const scored = contexts.map((_, row) => negativeLogLikelihood(logits(row), target));
          const kl = divergence(logits(klRow), start.logProbs);
          if (adaptive) {
            const likeliest = contexts.map((_, row) => tf.argMax(logits(row), 1));
            kept.push(tf.keep(tf.stack(likeliest)), tf.keep(kl.clone()));
          }
          return tf.add(
            tf.mul(tf.div(tf.addN(scored), contexts.length), nllFactor),
            tf.mul(kl, settings.klFactor),
          ) as tf.Scalar;
        },
      });
      loss = (await result.value.data())[0]!;
      for (const [p, point] of points.entries()) {
        const gradient = gradients[p]!;
        for (const [row, lookup] of lookups.entries()) {
          const values = (await result.grad(row, point).data()) as Float32Array;
          for (let i = 0; i < dModel; i += 1) gradient[i]! += values[lookup * dModel + i]!;
        }
      }
      if (kept.length > 0) {
        const likeliest = await kept[0]!.data();
        settled = likeliest.every((id, i) => id === target[i % target.length]);
        weightedKl = settings.klFactor * (await kept[1]!.data())[0]!;
      }
    } finally {
      tf.dispose(kept);
      result?.dispose();
    }
    for (const { delta, size } of shifts) loss += (settings.weightDecay * norm(delta)) / size ** 2;
    if (!Number.isFinite(loss)) {
      throw ranAway(`the edit's loss is ${loss} at step ${step}`);
    }
    losses.push(loss);
    if (loss < settings.stopLoss || step === settings.steps - 1) break;
    if (adaptive) {
      nllFactor = adaptive.nllFactor * (settled ? adaptive.settledFactor : 1);
      if (settled && weightedKl <= adaptive.settledKl) break;
    }
    for (const [p, shift] of shifts.entries()) {
      const { delta, size, adam } = shift;
      const gradient = gradients[p]!;
      const length = norm(delta);
      // |delta| has no gradient at 0; PyTorch takes 0 there.
      if (length > 0) {
        const scale = settings.weightDecay / (size ** 2 * length);
        for (let i = 0; i < dModel; i += 1) gradient[i]! += scale * delta[i]!;
      }
      adam.step(delta, gradient);
      const limit = settings.clampFactor * size;
      const moved = norm(delta);
      if (moved > limit) for (let i = 0; i < dModel; i += 1) delta[i]! *= limit / moved;
    }
  }
  return shifts.map(({ initial, delta }) => ({
    value: initial.map((x, i) => x + delta[i]!),
    delta,
    initial,
    losses,
  }));
}

function ranAway(message: string): SafeInferError {
  return new SafeInferError(message, {
    code: 'NON_FINITE',
    hint: 'lower the learning rate or the clamp',
  });
}

/** What the points hold at the bare prompt's lookup token, and the KL row's log-probabilities. */
async function unshifted(options: {
  readonly model: Transformer;
  readonly points: readonly HookName[];
  readonly inputs: readonly (readonly number[])[];
  readonly lookups: readonly number[];
}): Promise<{ readonly initials: Float64Array[]; readonly logProbs: Float32Array }> {
  const { model, points, inputs, lookups } = options;
  const { dModel, vocabSize } = model.config;
  const first = model.forward([{ tokens: [...inputs[0]!] }, { tokens: [...inputs.at(-1)!] }], {
    capture: points,
    logits: 'all',
  });
  try {
    const initials: Float64Array[] = [];
    for (const point of points) {
      const values = (await first.captured(0, point).data()) as Float32Array;
      initials.push(
        Float64Array.from(values.subarray(lookups[0]! * dModel, (lookups[0]! + 1) * dModel)),
      );
    }
    const logits = tf.tidy(() =>
      tf.logSoftmax(tf.slice(first.logits(1), [lookups.at(-1)!, 0], [1, vocabSize])),
    );
    const logProbs = (await logits.data()) as Float32Array;
    logits.dispose();
    return { initials, logProbs };
  } finally {
    first.dispose();
  }
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
