// The training of an adapter or of all weights.
import { SafeInferError, throwIfAborted } from '@safeinfer/backend';
import type { Transformer, WeightName } from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import { LoraAdapter } from '../adapters/lora-adapter.ts';
import { type BatchPlan, batchPlan, stepsPerEpoch } from '../data/batch-plan.ts';
import { checkExamples } from '../data/check-examples.ts';
import { adamW } from '../optimiser/adamw.ts';
import { checkSchedule, type Schedule } from '../optimiser/schedule.ts';
import {
  type FullMethod,
  factorsOf,
  type LoraMethod,
  loraModules,
  loraSettings,
  trainableOf,
} from './method.ts';
import type { FullResult, LoraResult, TrainOptions } from './train-options.ts';
import { TrainingLoop } from './training-loop.ts';

/**
 * Trains an adapter or all weights on next-token loss, in fp32. The given model is not changed: the result
 * holds the adapter, or a new model. A run is a function of its options and of the backend; with a checkpoint
 * directory, running it again goes on where it stopped and ends in the same bits.
 *
 * @throws SafeInferError before any work: `BAD_ARGUMENT`, `BAD_DATASET` (an example without a token to learn),
 *   `CONTEXT_OVERFLOW`, `WRONG_MODEL` (tokens that the model does not have), `BAD_CONFIG` (a checkpoint of another
 *   run), `NOT_FOUND` (no earlier stage), `BAD_FILE`; later: `NON_FINITE` (naming step and examples; the last checkpoint
 *   stays), `IO` (a checkpoint could not be written; the earlier one stays), `ABORTED` (after writing a checkpoint).
 *   Nothing is leaked.
 */
export async function train(options: TrainOptions<LoraMethod>): Promise<LoraResult>;
export async function train(options: TrainOptions<FullMethod>): Promise<FullResult>;
export async function train(
  options: TrainOptions<LoraMethod> | TrainOptions<FullMethod>,
): Promise<LoraResult | FullResult> {
  const { model, data, method, seed, evaluate, signal } = options;
  throwIfAborted(signal);
  const optimiser = adamW(options.optimiser);
  checkExamples(data, model.config, 'the training data');
  if (evaluate !== undefined) checkExamples(evaluate.data, model.config, 'the evaluation data');
  const { plan, steps } = lengthOfRun(options);
  checkAverage(options);
  const schedule: Schedule = options.schedule ?? { kind: 'constant' };
  checkSchedule(schedule);
  const trainable = trainableOf({ model, method, decayed: optimiser.decayed, seed });
  using loop = new TrainingLoop({ ...options, optimiser, schedule, plan, steps, trainable });
  const record = await loop.run();
  const values = loop.takeValues();
  if (method.kind === 'full') {
    return { ...record, model: trainedModel(model, trainable.parameters, values) };
  }
  const factors = factorsOf(loraModules(method, model.config), values);
  return { ...record, adapter: new LoraAdapter(loraSettings(method), factors) };
}

function checkAverage({ average, until }: Pick<TrainOptions, 'average' | 'until'>): void {
  const valid =
    (average === undefined || (average > 0 && average < 1)) &&
    (until === undefined || (Number.isInteger(until) && until >= 1));
  if (valid) return;
  throw new SafeInferError(`a mean that keeps ${average}, or a run until step ${until}`, {
    code: 'BAD_ARGUMENT',
    hint: 'average lies in (0, 1), until is a positive integer',
  });
}

function trainedModel(
  model: Transformer,
  parameters: readonly { readonly name: string }[],
  values: readonly tf.Tensor[],
): Transformer {
  try {
    return model.withWeights(
      new Map(parameters.map(({ name }, i) => [name as WeightName, values[i] as tf.Tensor])),
    );
  } catch (error) {
    tf.dispose([...values]);
    throw error;
  }
}

function lengthOfRun(options: Pick<TrainOptions, 'data' | 'batch' | 'seed' | 'steps' | 'epochs'>): {
  readonly plan: BatchPlan;
  readonly steps: number;
} {
  const { data, batch, seed, steps, epochs } = options;
  const own = 'step' in batch;
  const wanted = own ? 'steps' : 'one of steps and epochs';
  const given = (steps === undefined ? 0 : 1) + (epochs === undefined ? 0 : 1);
  if (given !== 1 || (own && steps === undefined)) {
    throw new SafeInferError(`steps ${steps} and epochs ${epochs} do not say how long to train`, {
      code: 'BAD_ARGUMENT',
      hint: `give ${wanted}`,
    });
  }
  const plan = own
    ? batch
    : batchPlan({ lengths: data.map(({ tokens }) => tokens.length), batch, seed });
  const total = steps ?? (own ? 0 : stepsPerEpoch(data.length, batch)) * (epochs ?? 0);
  if (Number.isInteger(total) && total >= 1) return { plan, steps: total };
  throw new SafeInferError(`a run of ${total} steps`, {
    code: 'BAD_ARGUMENT',
    hint: 'steps and epochs are positive integers',
  });
}
