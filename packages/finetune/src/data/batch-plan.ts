// Which examples each optimiser step sees: seeded, and a function of the step number, so that resuming is exact.
import { SafeInferError } from '@safeinfer/backend';
import { mixSeeds, permutation } from '../random/shuffle.ts';

/** Micro-batches of one step: indices of examples. Their gradients are accumulated. */
export type StepBatches = readonly (readonly number[])[];

/** A plan of one's own must be a pure function of the step. */
export interface BatchPlan {
  /** Describes the plan in checkpoints: two plans of one name and data must be the same plan. */
  readonly name: string;
  step(index: number): StepBatches;
}

export interface BatchOptions {
  /** Examples per optimiser step. */
  readonly examples: number;
  /**
   * Most tokens of one forward and backward pass, counted as rows times the longest row; a step with more is
   * split and its gradients accumulated, with the same result. Default 8192.
   */
  readonly microTokens?: number;
  /**
   * 'bucketed' (default): examples of similar length share a step, in a seeded order of steps; 'shuffled':
   * every step is a random draw; 'given': the order of the data. Rows are never joined, so no token can attend
   * to another example, and padding costs attention alone.
   */
  readonly order?: 'bucketed' | 'shuffled' | 'given';
}

/**
 * Steps that share one sort by length: more waste less, fewer mix better. Small data has at least four buckets, or
 * every epoch would repeat the same batches.
 */
const BUCKET_STEPS = 64;
const MIN_BUCKETS = 4;
const MICRO_TOKENS = 8192;

/** Steps of one pass over `count` examples. */
export function stepsPerEpoch(count: number, { examples }: BatchOptions): number {
  return Math.ceil(count / examples);
}

/** @throws SafeInferError `BAD_ARGUMENT` */
export function batchPlan(options: {
  readonly lengths: readonly number[];
  readonly batch: BatchOptions;
  readonly seed: number;
}): BatchPlan {
  const { lengths, batch, seed } = options;
  const { examples, microTokens = MICRO_TOKENS, order = 'bucketed' } = batch;
  if (!Number.isInteger(examples) || examples < 1 || !(microTokens >= 1)) {
    throw new SafeInferError(`a batch of ${examples} examples in passes of ${microTokens} tokens`, {
      code: 'BAD_ARGUMENT',
      hint: 'both are positive integers',
    });
  }
  const perEpoch = stepsPerEpoch(lengths.length, batch);
  let cached = { epoch: -1, steps: [] as number[][] };
  return {
    name: JSON.stringify({ examples, microTokens, order }),
    step: (index) => {
      const epoch = Math.floor(index / perEpoch);
      if (cached.epoch !== epoch) {
        cached = { epoch, steps: epochSteps({ lengths, examples, order, seed, epoch }) };
      }
      return microBatches(cached.steps[index % perEpoch] as number[], lengths, microTokens);
    },
  };
}

function epochSteps(options: {
  readonly lengths: readonly number[];
  readonly examples: number;
  readonly order: NonNullable<BatchOptions['order']>;
  readonly seed: number;
  readonly epoch: number;
}): number[][] {
  const { lengths, examples, order, seed, epoch } = options;
  const count = lengths.length;
  if (order === 'given')
    return slices(
      Array.from({ length: count }, (_, i) => i),
      examples,
    );
  const shuffled = [...permutation(count, mixSeeds(seed, epoch))];
  if (order === 'shuffled') return slices(shuffled, examples);
  const lengthOf = (index: number): number => lengths[index] as number;
  const steps = Math.min(BUCKET_STEPS, Math.max(1, Math.floor(count / (examples * MIN_BUCKETS))));
  return slices(shuffled, examples * steps).flatMap((bucket, b) => {
    const sorted = slices(
      bucket.sort((i, j) => lengthOf(i) - lengthOf(j) || i - j),
      examples,
    );
    return [...permutation(sorted.length, mixSeeds(seed, epoch, b + 1))].map(
      (step) => sorted[step] as number[],
    );
  });
}

function slices(list: readonly number[], size: number): number[][] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, i) =>
    list.slice(i * size, (i + 1) * size),
  );
}

/** Cuts a step into passes, longest rows together. */
export function microBatches(
  examples: readonly number[],
  lengths: readonly number[],
  microTokens: number,
): number[][] {
  const sorted = [...examples].sort(
    (i, j) => (lengths[i] as number) - (lengths[j] as number) || i - j,
  );
  const batches: number[][] = [];
  let batch: number[] = [];
  for (const index of sorted) {
    if (batch.length > 0 && (batch.length + 1) * (lengths[index] as number) > microTokens) {
      batches.push(batch);
      batch = [];
    }
    batch.push(index);
  }
  batches.push(batch);
  return batches;
}
