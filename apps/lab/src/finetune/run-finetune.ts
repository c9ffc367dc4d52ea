// One fine-tuning run: encodes the data, trains, writes the adapter or the model and the record of the training.
import { stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { SafeInferError } from '@safeinfer/backend';
import {
  checkpointPath,
  evaluateLoss,
  type FullMethod,
  type LoraAdapter,
  type LoraMethod,
  readAdapter,
  type TrainingExample,
  type TrainOptions,
  type TrainProgress,
  type TrainRecord,
  train,
  writeAdapter,
} from '@safeinfer/finetune';
import { saveModel, type Tokenizer, type Transformer } from '@safeinfer/transformer';
import type { RunDirectory } from '../run/run-directory.ts';
import { encodeRows } from './encode-rows.ts';
import type { FinetuneConfig } from './finetune-schema.ts';
import { readTrainingRows, type TrainingRow } from './training-rows.ts';

/** The rows of a configuration, read before a model is loaded. */
export interface FinetuneRows {
  readonly train: readonly TrainingRow[];
  readonly evaluate: readonly TrainingRow[] | undefined;
}

export interface FinetuneOutcome {
  /** Directory of the adapter or of the trained model. */
  readonly output: string;
  readonly record: TrainRecord;
  readonly examples: number;
  readonly evaluationBefore: number | undefined;
}

/** @throws SafeInferError `NOT_FOUND`, `BAD_DATASET` naming file and line */
export function readFinetuneRows(config: FinetuneConfig, configFile: string): FinetuneRows {
  const { train: training, evaluate } = config.data;
  return {
    train: readTrainingRows(training, configFile),
    evaluate: evaluate && readTrainingRows(evaluate, configFile),
  };
}

/** Where a run keeps its checkpoint. */
export function checkpointDirectory(directory: RunDirectory): string {
  return join(directory.path, 'checkpoint');
}

/**
 * Refuses to train over an earlier run by accident.
 *
 * @throws SafeInferError `BAD_CONFIG` when there is a checkpoint and neither flag was given
 */
export async function checkCheckpoint(
  directory: RunDirectory,
  flags: { readonly resume: boolean; readonly restart: boolean },
): Promise<void> {
  const path = checkpointPath(checkpointDirectory(directory));
  const found = (await stat(path).catch(() => undefined)) !== undefined;
  if (!found || flags.resume || flags.restart) return;
  throw new SafeInferError(`${path} is the checkpoint of an earlier run`, {
    code: 'BAD_CONFIG',
    hint: 'go on from it with --resume, begin again with --restart, or name another --out',
  });
}

/** Writes `adapter/` or `model/`, and `loss.jsonl`; a resumed run writes the bytes of an uninterrupted one. */
export async function runFinetune(options: {
  readonly config: FinetuneConfig;
  readonly configFile: string;
  readonly rows: FinetuneRows;
  readonly model: Transformer<Tokenizer>;
  readonly modelDirectory: string;
  readonly directory: RunDirectory;
  readonly restart: boolean;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: TrainProgress) => void;
}): Promise<FinetuneOutcome> {
  const { config, rows, model, directory, signal } = options;
  const data = encodeRows(rows.train, model, config.data);
  const held = rows.evaluate && encodeRows(rows.evaluate, model, config.data);
  const evaluationBefore =
    held === undefined ? undefined : await evaluateLoss({ model, data: held, signal });
  const common = {
    ...commonOptions(config, data, held),
    model,
    checkpoint: {
      directory: checkpointDirectory(directory),
      everySteps: config.checkpointEvery,
      resume: !options.restart,
    },
    signal,
    onProgress: options.onProgress,
  };
  const { output, record } =
    config.method.kind === 'full'
      ? await trainFull(options, common)
      : await trainLora(options, common);
  directory.write('loss.jsonl', lossLines(record));
  return { output, record, examples: data.length, evaluationBefore };
}

type Common = Omit<TrainOptions, 'method'>;

function commonOptions(
  config: FinetuneConfig,
  data: readonly TrainingExample[],
  held: readonly TrainingExample[] | undefined,
): Omit<Common, 'model'> {
  const { optimiser, schedule, batch, steps, epochs, normalise, seed, evaluateEvery } = config;
  return {
    data,
    optimiser: defined(optimiser) as TrainOptions['optimiser'],
    schedule: defined(schedule) as NonNullable<TrainOptions['schedule']>,
    batch: defined(batch) as Extract<TrainOptions['batch'], { examples: number }>,
    ...(steps === undefined ? {} : { steps }),
    ...(epochs === undefined ? {} : { epochs }),
    normalise,
    seed,
    ...(held === undefined
      ? {}
      : { evaluate: { data: held, everySteps: evaluateEvery ?? Number.MAX_SAFE_INTEGER } }),
  };
}

interface Trained {
  readonly output: string;
  readonly record: TrainRecord;
}

async function trainFull(
  { config, modelDirectory, directory, signal }: Parameters<typeof runFinetune>[0],
  common: Common,
): Promise<Trained> {
  const { weights, dtype } = config.method as Extract<FinetuneConfig['method'], { kind: 'full' }>;
  const chosen = weights === undefined ? undefined : new RegExp(weights);
  const method: FullMethod =
    chosen === undefined
      ? { kind: 'full' }
      : { kind: 'full', weights: (name) => chosen.test(name) };
  const { model: trained, ...record } = await train({ ...common, method });
  using owned = trained;
  const output = join(directory.path, 'model');
  await saveModel(owned, { path: output, dtype, tokenizerFrom: modelDirectory, signal });
  return { output, record };
}

async function trainLora(
  { config, configFile, model, directory, signal }: Parameters<typeof runFinetune>[0],
  common: Common,
): Promise<Trained> {
  const { from, ...settings } = config.method as Extract<
    FinetuneConfig['method'],
    { kind: 'lora' }
  >;
  const baseModel = config.model === 'pocket' ? '@safeinfer/pocket' : config.model;
  let start: LoraAdapter | undefined;
  if (from !== undefined) {
    start = await readAdapter({ model, path: resolve(dirname(configFile), from), signal });
  }
  using _ = start;
  const method =
    start === undefined
      ? (defined({ ...settings, baseModel }) as LoraMethod)
      : (defined({ kind: 'lora', from: start, dropout: settings.dropout }) as LoraMethod);
  const { adapter, ...record } = await train({ ...common, method });
  using owned = adapter;
  const output = join(directory.path, 'adapter');
  await writeAdapter({ adapter: owned, path: output, baseModel, signal });
  return { output, record };
}

/** One line a step and an evaluation, in order; no times, so that equal runs write equal files. */
function lossLines({ loss, gradientNorm, evaluations }: TrainRecord): string {
  const lines = loss.flatMap((own, i) => {
    const step = i + 1;
    const evaluation = evaluations.find((one) => one.step === step);
    return [
      JSON.stringify({ step, loss: own, gradientNorm: gradientNorm[i] }),
      ...(evaluation === undefined
        ? []
        : [JSON.stringify({ step, evaluationLoss: evaluation.loss })]),
    ];
  });
  return `${lines.join('\n')}\n`;
}

/** Without entries that are undefined: libraries take "absent", not "undefined". */
function defined(entries: object): object {
  return Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== undefined));
}
