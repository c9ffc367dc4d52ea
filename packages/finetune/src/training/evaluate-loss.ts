// The loss of held-out examples.
import { nextTurn, SafeInferError, throwIfAborted } from '@safeinfer/backend';
import type { Transformer } from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import { microBatches } from '../data/batch-plan.ts';
import { checkExamples } from '../data/check-examples.ts';
import type { TrainingExample } from '../data/example.ts';
import type { Binding } from './method.ts';
import { batchLoss, microBatch } from './micro-batch.ts';

export interface EvaluateLossOptions {
  readonly model: Transformer;
  readonly data: readonly TrainingExample[];
  /** Name of an adapter that the model has loaded. */
  readonly adapter?: string;
  /** Most tokens of one pass, rows times the longest; default 8192. */
  readonly microTokens?: number;
  readonly signal?: AbortSignal;
}

/**
 * Mean loss per weighted token, in nats: sum of weight * loss over sum of weights, over all examples.
 *
 * @throws SafeInferError what training throws for bad data, `NON_FINITE`, `ABORTED`
 */
export async function evaluateLoss(options: EvaluateLossOptions): Promise<number> {
  const { model, data, adapter: name } = options;
  checkExamples(data, model.config, 'the evaluation data');
  const adapter = name === undefined ? undefined : model.adapters.get(name);
  if (name !== undefined && adapter === undefined) {
    throw new SafeInferError(`the model has no adapter '${name}'`, {
      code: 'BAD_ARGUMENT',
      hint: 'load it with loadAdapter or model.addAdapter',
    });
  }
  return boundLoss({ ...options, binding: adapter === undefined ? {} : { adapter } });
}

/** The same with given values of the parameters; data already checked. */
export async function boundLoss(
  options: Omit<EvaluateLossOptions, 'adapter'> & { readonly binding: Binding },
): Promise<number> {
  const { model, data, binding, microTokens = 8192, signal } = options;
  const lengths = data.map(({ tokens }) => tokens.length);
  let sum = 0;
  let weight = 0;
  for (const indices of microBatches([...data.keys()], lengths, microTokens)) {
    throwIfAborted(signal);
    const batch = microBatch(indices.map((index) => data[index] as TrainingExample));
    const loss = tf.tidy(() => batchLoss({ model, batch, binding, factor: 1 }));
    try {
      sum += (await loss.data())[0] as number;
    } finally {
      loss.dispose();
    }
    weight += batch.weight;
    await nextTurn();
  }
  if (Number.isFinite(sum)) return sum / weight;
  throw new SafeInferError(`the evaluation loss is ${sum / weight}`, {
    code: 'NON_FINITE',
    hint: 'lower the learning rate or look for damaged weights',
  });
}
