// Runs a step of weight processing: new tensors in, a new model that shares every other weight out.
import * as tf from '@tensorflow/tfjs-core';
import type { ModelConfig } from '../config/model-config.ts';
import type { WeightName } from '../config/weight-name.ts';
import type { TextCodec } from '../model/text-codec.ts';
import type { Transformer } from '../model/transformer.ts';

/** Weights of the model being made: reads see earlier changes of the same step. */
export class WeightDraft {
  readonly #weights: ReadonlyMap<WeightName, tf.Tensor>;
  readonly changes: Map<WeightName, tf.Tensor> = new Map();

  constructor(weights: ReadonlyMap<WeightName, tf.Tensor>) {
    this.#weights = weights;
  }

  get(name: WeightName): tf.Tensor | undefined {
    return this.changes.get(name) ?? this.#weights.get(name);
  }

  /** A weight that the configuration promises. */
  need<T extends tf.Tensor>(name: WeightName): T {
    return this.get(name) as T;
  }

  set(name: WeightName, tensor: tf.Tensor): void {
    this.changes.set(name, tensor);
  }

  get all(): ReadonlyMap<WeightName, tf.Tensor> {
    return new Map([...this.#weights, ...this.changes]);
  }
}

/** `change` sets new tensors (any it makes on the way are freed) and returns the new configuration. */
export function changeWeights<T extends TextCodec>(
  model: Transformer<T>,
  change: (draft: WeightDraft) => ModelConfig,
): Transformer<T> {
  const draft = new WeightDraft(model.weights);
  let config = model.config;
  tf.tidy(() => {
    config = change(draft);
    for (const tensor of draft.changes.values()) tf.keep(tensor);
  });
  try {
    return model.withWeights(draft.changes, config);
  } catch (error) {
    tf.dispose([...draft.changes.values()]);
    throw error;
  }
}
