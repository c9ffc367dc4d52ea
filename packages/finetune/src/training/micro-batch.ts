// One pass over some examples: the rows to run, and where and how much each prediction counts.
import type { KeyVisibility, Row, Transformer } from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import type { TrainingExample } from '../data/example.ts';
import { weightedCrossEntropy } from './cross-entropy.ts';
import type { Binding } from './method.ts';

export interface MicroBatch {
  readonly rows: readonly (readonly number[])[];
  /** Lines of the predictions that count, over all rows in order; undefined when every token is one. */
  readonly lines: Int32Array | undefined;
  readonly targets: Int32Array;
  readonly weights: Float32Array;
  /** Sum of the weights. */
  readonly weight: number;
  /** Tokens of the examples, for rates. */
  readonly tokens: number;
}

/** Rows end before the last target: no later token can change the loss. */
export function microBatch(examples: readonly TrainingExample[]): MicroBatch {
  const rows: number[][] = [];
  const lines: number[] = [];
  const targets: number[] = [];
  const weights: number[] = [];
  let start = 0;
  let tokens = 0;
  for (const example of examples) {
    const last = lastTarget(example);
    rows.push(Array.from({ length: last }, (_, i) => example.tokens[i] as number));
    for (let i = 1; i <= last; i++) {
      const weight = example.weights[i] as number;
      if (weight === 0) continue;
      lines.push(start + i - 1);
      targets.push(example.tokens[i] as number);
      weights.push(weight);
    }
    start += last;
    tokens += example.tokens.length;
  }
  return {
    rows,
    lines: lines.length === start ? undefined : Int32Array.from(lines),
    targets: Int32Array.from(targets),
    weights: Float32Array.from(weights),
    weight: weights.reduce((sum, weight) => sum + weight, 0),
    tokens,
  };
}

function lastTarget({ weights }: TrainingExample): number {
  let last = weights.length - 1;
  while (last > 0 && weights[last] === 0) last--;
  return last;
}

/** Name under which a traced adapter goes; rows of the trainer carry no other. */
const ADAPTER = 'in training';

/** The sum of weighted losses of a micro-batch times `factor`; differentiable when called under a tape. */
export function batchLoss(options: {
  readonly model: Transformer;
  readonly batch: MicroBatch;
  readonly binding: Binding;
  readonly factor: number;
  readonly visibility?: KeyVisibility | undefined;
}): tf.Scalar {
  const { model, batch, binding, factor, visibility } = options;
  const { adapter, weights } = binding;
  const rows = batch.rows.map(
    (tokens): Row => (adapter === undefined ? { tokens } : { tokens, adapter: ADAPTER }),
  );
  const { logits } = model.trace({
    rows,
    ...(batch.lines === undefined ? {} : { logitTokens: batch.lines }),
    ...(weights === undefined ? {} : { weights }),
    ...(visibility === undefined ? {} : { visibility }),
    ...(adapter === undefined ? {} : { adapters: new Map([[ADAPTER, adapter]]) }),
  });
  const scaled = batch.weights.map((weight) => weight * factor);
  return weightedCrossEntropy(
    logits,
    tf.tensor1d(batch.targets, 'int32'),
    tf.tensor1d(scaled, 'float32'),
  );
}
