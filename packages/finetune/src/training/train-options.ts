// What a training run takes and gives.
import type { KeyVisibility, Transformer } from '@safeinfer/transformer';
import type { LoraAdapter } from '../adapters/lora-adapter.ts';
import type { BatchOptions, BatchPlan } from '../data/batch-plan.ts';
import type { TrainingExample } from '../data/example.ts';
import type { AdamWOptions } from '../optimiser/adamw.ts';
import type { Schedule } from '../optimiser/schedule.ts';
import type { Method } from './method.ts';

export interface TrainOptions<M extends Method = Method> {
  /** Never changed by training. */
  readonly model: Transformer;
  readonly data: readonly TrainingExample[];
  readonly method: M;
  readonly optimiser: AdamWOptions;
  /** Default: constant. */
  readonly schedule?: Schedule;
  /** Examples of each step, or a plan of one's own (which needs `steps`). */
  readonly batch: BatchOptions | BatchPlan;
  /** How long to train: one of the two. */
  readonly steps?: number;
  readonly epochs?: number;
  /** Ends the run after this step, while the schedule stays that of the whole length. */
  readonly until?: number;
  /**
   * The result, and what is evaluated, is a running mean of the parameters and not their last values: after each
   * step mean = d * mean + (1 - d) * parameters with d = min(average, step / (step + 10)). In (0, 1).
   */
  readonly average?: number;
  /**
   * How micro-batches of a step combine: 'tokens' (default) weighs every token alike, as one large batch would;
   * 'batches' weighs micro-batches alike, each by the mean of its own tokens.
   */
  readonly normalise?: 'tokens' | 'batches';
  /** Decides the order of examples, the start of an adapter and dropout. */
  readonly seed: number;
  readonly checkpoint?: CheckpointOptions;
  readonly evaluate?: {
    readonly data: readonly TrainingExample[];
    /** Also evaluated after the last step. */
    readonly everySteps: number;
  };
  /** Hides earlier tokens from some tokens while training; evaluation sees all. */
  readonly visibility?: VisibilityPlan;
  readonly signal?: AbortSignal;
  /** Called after every step, and after every evaluation and checkpoint. */
  readonly onProgress?: (progress: TrainProgress) => void;
}

/** A pure function of the step, like a batch plan. */
export interface VisibilityPlan {
  /** Describes the plan in checkpoints: two plans of one name and data must be the same plan. */
  readonly name: string;
  /** For a micro-batch whose rows are the examples `indices`; undefined hides nothing. */
  of(at: {
    readonly step: number;
    readonly microBatch: number;
    readonly indices: readonly number[];
  }): KeyVisibility | undefined;
}

export interface CheckpointOptions {
  /** Holds one file, replaced at each checkpoint. A run finds its own checkpoint there and goes on from it. */
  readonly directory: string;
  /** Also written after the last step and when the signal fires. */
  readonly everySteps: number;
  /** False: start anew and overwrite the checkpoint. Default true. */
  readonly resume?: boolean;
  /**
   * Directory of a checkpoint of an earlier stage on the same parameters: a run without a checkpoint of its own takes
   * over its parameters, moments, mean, history and count of steps. Data, schedule and batches may differ from it.
   */
  readonly continueFrom?: string;
}

export type TrainProgress =
  | { readonly kind: 'resumed'; readonly step: number; readonly steps: number }
  | StepProgress
  | { readonly kind: 'evaluation'; readonly step: number; readonly loss: number }
  | { readonly kind: 'checkpoint'; readonly step: number; readonly path: string };

export interface StepProgress {
  readonly kind: 'step';
  /** Steps done, of `steps`. */
  readonly step: number;
  readonly steps: number;
  /** Of this step's examples before its update, in nats per weighted token. */
  readonly loss: number;
  readonly learningRate: number;
  /** Of the whole gradient, before clipping. */
  readonly gradientNorm: number;
  /** Tokens seen since the run began, earlier parts of a resumed run included. */
  readonly tokens: number;
  /** Of this process, without evaluations and checkpoints. */
  readonly tokensPerSecond: number;
  readonly secondsLeft: number;
}

export interface TrainRecord {
  readonly steps: number;
  readonly tokens: number;
  /** Per step, before its update. */
  readonly loss: readonly number[];
  readonly gradientNorm: readonly number[];
  readonly evaluations: readonly { readonly step: number; readonly loss: number }[];
  /** Step at which this call took over from a checkpoint; null when it began at 0. */
  readonly resumedAt: number | null;
}

/** The adapter is the caller's. */
export interface LoraResult extends TrainRecord {
  readonly adapter: LoraAdapter;
}

/** A new model, the caller's; it shares untrained weights with the one that was given. */
export interface FullResult extends TrainRecord {
  readonly model: Transformer;
}
