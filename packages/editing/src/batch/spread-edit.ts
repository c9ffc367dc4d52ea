// Writing residuals layer by layer, each on the model with the earlier layers already changed (Meng et al. 2023).
import { SafeInferError, throwIfAborted } from '@safeinfer/backend';
import type { HookName, Transformer, WeightName } from '@safeinfer/transformer';
import type * as tf from '@tensorflow/tfjs-core';
import { changedWeight } from '../delta/changed-weight.ts';
import type { LowRankDelta } from '../delta/weight-delta.ts';
import { meanVector, norm } from '../linear-algebra/vector.ts';
import { readLookups } from '../lookup/read-lookups.ts';
import type { PreparedEdit } from '../request/prepare-edit.ts';
import type { ShiftOptions } from '../value/optimise-shifts.ts';
import { type OptimisedValue, optimiseValue, type ValueOptions } from '../value/optimise-value.ts';
import type { BatchEdit, BatchEditOptions } from './batch-options.ts';

/** Left factors X of dW = X RT in [in, out] orientation, from a layer's keys: one vector for each edit. */
export type LayerSolve = (layer: number, keys: readonly Float64Array[]) => Float64Array[];

export interface SpreadOptions extends Omit<BatchEditOptions, 'layers'> {
  readonly layers: readonly number[];
  readonly edits: readonly PreparedEdit[];
  readonly settings: ValueOptions;
  readonly solve: LayerSolve;
  /** What the residual is divided by when `left` layers are still to be changed, this one included. */
  readonly divisor: (left: number) => number;
  /** Where values live. Default: the block's output. */
  readonly valueAt?: (model: Transformer, layer: number) => HookName;
  /** How a value is found. Default: a shift at `valueAt` of the last layer. */
  readonly findValue?: (search: ValueSearch) => Promise<OptimisedValue>;
  /** Called on the edited model before it is freed. */
  readonly after?: (edited: Transformer) => Promise<void>;
}

export type ValueSearch = Omit<ShiftOptions, 'points' | 'adaptive'>;

const blockOutput = (_: Transformer, layer: number): HookName => `blocks.${layer}.hook_resid_post`;

/** The given model is never changed: layers are replaced in a model that shares all other weights. */
export async function spreadEdit(options: SpreadOptions): Promise<BatchEdit> {
  const { model, layers, edits, solve, divisor, signal, onProgress } = options;
  const { valueAt = blockOutput } = options;
  if (valueAt === blockOutput) checkBlockOutput(model);
  const values = await valuesOf(options);
  const top = layers.at(-1)!;
  const bare = edits.map(({ contexts }) => contexts[0]!);
  const deltas: LowRankDelta[] = [];
  const residualNorms: number[][] = [];
  const keys: Float64Array[][] = [];
  let edited = model.withWeights(new Map());
  try {
    for (const [i, layer] of layers.entries()) {
      throwIfAborted(signal);
      const layerKeys = await averagedKeys(edited, layer, edits);
      const [streams] = await readLookups({
        model: edited,
        rows: bare,
        points: [valueAt(edited, top)],
      });
      const residuals = streams.map((h, e) => values[e]!.value.map((z, d) => z - h[d]!));
      const share = divisor(layers.length - i);
      const delta: LowRankDelta = {
        weight: `blocks.${layer}.mlp.W_out`,
        lefts: solve(layer, layerKeys),
        rights: residuals.map((residual) => residual.map((x) => x / share)),
      };
      const next = edited.withWeights(
        new Map<WeightName, tf.Tensor>([
          [delta.weight, await changedWeight(edited.weights.get(delta.weight)!, [delta])],
        ]),
      );
      edited.dispose();
      edited = next;
      deltas.push(delta);
      keys.push(layerKeys);
      residualNorms.push(residuals.map(norm));
      onProgress?.({ phase: 'layers', done: i + 1, total: layers.length });
    }
    await options.after?.(edited);
  } finally {
    edited.dispose();
  }
  return {
    requests: edits.map(({ request }) => request),
    deltas,
    values,
    residualNorms,
    keys,
    subjectFirst: edits.flatMap(({ subjectFirst }, e) => (subjectFirst ? [e] : [])),
  };
}

/**
 * Behind a post-norm (Gemma 2 and 3, OLMo 2) the stream does not hold what the projection writes, so a residual of the
 * block's output cannot be written there. @throws UNSUPPORTED
 */
function checkBlockOutput(model: Transformer): void {
  if (!model.config.block.postNorm) return;
  throw new SafeInferError(
    `blocks of ${model.config.family} normalise the MLP output, so MEMIT, EMMET and AlphaEdit would write the wrong size`,
    { code: 'UNSUPPORTED', hint: 'use rome or pmet, which edit the MLP output itself' },
  );
}

async function valuesOf(options: SpreadOptions): Promise<readonly OptimisedValue[]> {
  if (options.values) return options.values;
  const { model, layers, edits, settings, signal, onProgress } = options;
  const layer = layers.at(-1)!;
  const { valueAt = blockOutput } = options;
  const find =
    options.findValue ??
    ((search: ValueSearch) => optimiseValue({ ...search, at: valueAt(model, layer) }));
  const values: OptimisedValue[] = [];
  for (const { contexts, target, essence } of edits) {
    values.push(await find({ model, layer, contexts, target, essence, settings, signal }));
    onProgress?.({ phase: 'values', done: values.length, total: edits.length });
  }
  return values;
}

/** Mean within each group of contexts (the bare prompt; the others), then mean of the groups. */
export async function averagedKeys(
  model: Transformer,
  layer: number,
  edits: readonly PreparedEdit[],
): Promise<Float64Array[]> {
  const [keys] = await readLookups({
    model,
    rows: edits.flatMap(({ contexts }) => contexts),
    points: [`blocks.${layer}.mlp.hook_post`],
  });
  let start = 0;
  return edits.map(({ contexts }) => {
    const [bare, ...others] = keys.slice(start, start + contexts.length);
    start += contexts.length;
    return others.length === 0 ? bare! : meanVector([bare!, meanVector(others)]);
  });
}
