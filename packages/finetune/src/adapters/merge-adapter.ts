// Adds an adapter into a model's weights, and takes it out again bit for bit.
import { SafeInferError } from '@safeinfer/backend';
import type { Adapter, Transformer, WeightName } from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';

/** A merge that can be taken back. */
export interface MergedAdapter extends Disposable {
  /** Weights that the merge changed. */
  readonly weights: readonly WeightName[];
  /**
   * Puts the very tensors back that were there before: bit-exact, unlike subtracting the delta.
   * @throws SafeInferError `BAD_ARGUMENT` when a merged weight was changed since, or when called twice
   */
  unmerge(): void;
  /** Keeps the merge for good and frees the original weights. */
  dispose(): void;
}

/**
 * W + scale * A B for every weight that the adapter changes; the caller owns the tensors, for
 * `model.withWeights(...)`: a merged model that shares everything else.
 *
 * @throws SafeInferError `BAD_ARGUMENT` for a delta of a weight that the model does not hold, such as the
 *   unembedding of a tied model, which can only be changed beside the weights
 */
export function mergedWeights(model: Transformer, adapter: Adapter): Map<WeightName, tf.Tensor> {
  for (const name of adapter.deltas.keys()) {
    if (model.weights.has(name)) continue;
    throw new SafeInferError(`the model has no weight '${name}' to merge into`, {
      code: 'BAD_ARGUMENT',
      hint: 'load the adapter with addAdapter and name it in the rows instead',
    });
  }
  const merged = new Map<WeightName, tf.Tensor>();
  tf.tidy(() => {
    for (const [name, { A, B, scale }] of adapter.deltas) {
      const base = model.weights.get(name) as tf.Tensor2D;
      merged.set(name, tf.keep(tf.add(base, tf.mul(tf.matMul(A, B), scale))));
    }
  });
  return merged;
}

/** Merges in place. The originals are kept (one copy of the changed weights) until `unmerge` or `dispose`. */
export function mergeAdapter(model: Transformer, adapter: Adapter): MergedAdapter {
  const merged = mergedWeights(model, adapter);
  const originals = new Map<WeightName, tf.Tensor>();
  for (const [name, tensor] of merged) {
    // A clone shares the numbers, and keeps them when the model lets go of its own tensor.
    originals.set(name, tf.keep((model.weights.get(name) as tf.Tensor).clone()));
    model.setWeight(name, tensor);
  }
  const dispose = (): void => {
    for (const tensor of originals.values()) tensor.dispose();
    originals.clear();
  };
  return {
    weights: [...merged.keys()],
    dispose,
    [Symbol.dispose]: dispose,
    unmerge: () => {
      for (const [name, tensor] of merged) {
        if (originals.has(name) && model.weights.get(name) === tensor) continue;
        throw new SafeInferError(
          originals.size === 0
            ? 'this merge was taken back or made permanent before'
            : `weight '${name}' was changed after the merge`,
          { code: 'BAD_ARGUMENT', hint: 'undo later changes first, in reverse order' },
        );
      }
      for (const [name, tensor] of originals) model.setWeight(name, tensor);
      originals.clear();
    },
  };
}
