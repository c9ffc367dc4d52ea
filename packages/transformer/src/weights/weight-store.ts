// A model's weights with shared ownership: models made from one another hold the same tensors.
import { SafeInferError } from '@safeinfer/backend';
import type { Tensor } from '@tensorflow/tfjs-core';
import type { ModelConfig } from '../config/model-config.ts';
import type { WeightName } from '../config/weight-name.ts';
import { weightShapes } from '../config/weight-shapes.ts';

const owners = new WeakMap<Tensor, number>();

/** Owns a share of each tensor; a tensor is disposed when its last owner lets go. */
export class WeightStore {
  readonly #config: ModelConfig;
  readonly #tensors: Map<WeightName, Tensor>;

  /** Takes a share of every tensor. Throws BAD_WEIGHTS and takes none when the set does not fit. */
  constructor(config: ModelConfig, tensors: ReadonlyMap<WeightName, Tensor>) {
    checkWeights(config, tensors);
    this.#config = config;
    this.#tensors = new Map(tensors);
    for (const tensor of this.#tensors.values()) retain(tensor);
  }

  get tensors(): ReadonlyMap<WeightName, Tensor> {
    return this.#tensors;
  }

  get(name: WeightName): Tensor | undefined {
    return this.#tensors.get(name);
  }

  /** Replaces one weight, taking ownership of the new tensor. */
  set(name: WeightName, tensor: Tensor): void {
    const old = this.#tensors.get(name);
    checkShape(name, weightShapes(this.#config).get(name), tensor);
    if (old === tensor) return;
    retain(tensor);
    this.#tensors.set(name, tensor);
    if (old !== undefined) release(old);
  }

  dispose(): void {
    for (const tensor of this.#tensors.values()) release(tensor);
    this.#tensors.clear();
  }
}

function retain(tensor: Tensor): void {
  owners.set(tensor, (owners.get(tensor) ?? 0) + 1);
}

function release(tensor: Tensor): void {
  const left = (owners.get(tensor) ?? 1) - 1;
  owners.set(tensor, left);
  if (left === 0) tensor.dispose();
}

function checkWeights(config: ModelConfig, tensors: ReadonlyMap<WeightName, Tensor>): void {
  const shapes = weightShapes(config);
  const missing = [...shapes.keys()].filter((name) => !tensors.has(name));
  const unexpected = [...tensors.keys()].filter((name) => !shapes.has(name));
  if (missing.length > 0 || unexpected.length > 0) {
    const some = (names: string[]): string =>
      names.length === 0
        ? 'none'
        : names.slice(0, 5).join(', ') + (names.length > 5 ? ', ...' : '');
    throw new SafeInferError(
      `weights do not fit the configuration: missing ${some(missing)}; unexpected ${some(unexpected)}`,
      { code: 'BAD_WEIGHTS', hint: 'weightShapes(config) lists what is needed' },
    );
  }
  for (const [name, tensor] of tensors) checkShape(name, shapes.get(name), tensor);
}

function checkShape(name: WeightName, shape: readonly number[] | undefined, tensor: Tensor): void {
  if (shape === undefined) {
    throw new SafeInferError(`this model has no weight '${name}'`, {
      code: 'BAD_WEIGHTS',
      hint: 'use a name from model.weights',
    });
  }
  const fits = tensor.rank === shape.length && shape.every((size, i) => size === tensor.shape[i]);
  if (fits && tensor.dtype === 'float32') return;
  throw new SafeInferError(
    `weight '${name}' is ${tensor.dtype} [${tensor.shape}], not float32 [${shape}]`,
    { code: 'BAD_WEIGHTS', hint: 'matrices are [in, out]' },
  );
}
