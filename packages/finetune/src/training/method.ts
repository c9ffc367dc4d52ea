// What is trained: all weights of a model, or the factors of a LoRA adapter beside them.
import { SafeInferError } from '@safeinfer/backend';
import {
  type Adapter,
  type ModelConfig,
  type Transformer,
  uniformAt,
  type WeightName,
  weightShapes,
} from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import { deltasOf, type LoraAdapter, type LoraFactors } from '../adapters/lora-adapter.ts';
import { LORA_DEFAULTS, type LoraSettings } from '../adapters/lora-settings.ts';
import { type MatchedModule, matchModules } from '../adapters/match-modules.ts';
import type { ParameterInfo } from '../optimiser/slabs.ts';
import { dropoutMask } from '../random/dropout-mask.ts';
import { mixSeeds } from '../random/shuffle.ts';

/** Train the model's own weights. */
export interface FullMethod {
  readonly kind: 'full';
  /** Which weights to train, by canonical name; default all. */
  readonly weights?: (name: WeightName) => boolean;
}

/** Train a new adapter (A random, B zero, as PEFT starts one), or go on with an existing one. */
export type LoraMethod =
  | ({ readonly kind: 'lora'; readonly from?: undefined } & Partial<LoraSettings>)
  | { readonly kind: 'lora'; readonly from: LoraAdapter; readonly dropout?: number };

export type Method = FullMethod | LoraMethod;

/** What a pass needs to run with given values of the parameters. */
export interface Binding {
  readonly weights?: ReadonlyMap<WeightName, tf.Tensor>;
  readonly adapter?: Adapter;
}

/** The parameters of a method on a model. */
export interface Trainable {
  readonly parameters: readonly ParameterInfo[];
  /** Describes the method in checkpoints. */
  readonly description: string;
  /** First values, one new tensor per parameter. */
  start(): tf.Tensor[];
  /** `dropoutSeed` null: no dropout, as in evaluation. */
  bind(values: readonly tf.Tensor[], dropoutSeed: number | null): Binding;
}

/** @throws SafeInferError `BAD_ARGUMENT` */
export function trainableOf(options: {
  readonly model: Transformer;
  readonly method: Method;
  readonly decayed: 'matrices' | 'all';
  readonly seed: number;
}): Trainable {
  const { model, method, decayed, seed } = options;
  const decays = (shape: readonly number[]): boolean => decayed === 'all' || shape.length >= 2;
  return method.kind === 'full'
    ? fullTrainable(model, method, decays)
    : loraTrainable({ config: model.config, method, decays, seed });
}

function fullTrainable(
  model: Transformer,
  method: FullMethod,
  decays: (shape: readonly number[]) => boolean,
): Trainable {
  const chosen = [...weightShapes(model.config)].filter(([name]) => method.weights?.(name) ?? true);
  if (chosen.length === 0) {
    throw new SafeInferError('no weight was chosen for training', {
      code: 'BAD_ARGUMENT',
      hint: '`weights` must return true for at least one name of model.weights',
    });
  }
  return {
    parameters: chosen.map(([name, shape]) => ({ name, shape, decayed: decays(shape) })),
    description: JSON.stringify({ kind: 'full', weights: chosen.map(([name]) => name) }),
    start: () => chosen.map(([name]) => tf.clone(model.weights.get(name) as tf.Tensor)),
    bind: (values) => ({
      weights: new Map(chosen.map(([name], i) => [name, values[i] as tf.Tensor])),
    }),
  };
}

/** The settings of the adapter that a method trains. */
export function loraSettings(method: LoraMethod): LoraSettings {
  if (method.from !== undefined) {
    return { ...method.from.settings, dropout: method.dropout ?? method.from.settings.dropout };
  }
  const { kind: _kind, from: _from, ...given } = method;
  return { ...LORA_DEFAULTS, ...given };
}

/** The modules of a method on a model, in the order of its parameters. */
export function loraModules(method: LoraMethod, config: ModelConfig): MatchedModule[] {
  return method.from === undefined
    ? matchModules(loraSettings(method), config)
    : method.from.factors.map(({ module }) => module);
}

function loraTrainable(options: {
  readonly config: ModelConfig;
  readonly method: LoraMethod;
  readonly decays: (shape: readonly number[]) => boolean;
  readonly seed: number;
}): Trainable {
  const { config, method, decays, seed } = options;
  const settings = loraSettings(method);
  const { dropout } = settings;
  if (!(dropout >= 0 && dropout < 1)) {
    throw new SafeInferError(`dropout ${dropout} leaves nothing to train on`, {
      code: 'BAD_ARGUMENT',
      hint: 'dropout lies in [0, 1)',
    });
  }
  const modules = loraModules(method, config);
  const parameters = modules.flatMap(({ module, inputs, rank, parts }): ParameterInfo[] => [
    { name: `${module}.A`, shape: [inputs, rank], decayed: decays([inputs, rank]) },
    ...parts.map(({ name, outputs }) => {
      const shape = [rank, outputs.length];
      return { name: `${module}.B/${name}`, shape, decayed: decays(shape) };
    }),
  ]);
  return {
    parameters,
    description: JSON.stringify({ kind: 'lora', ...settings }),
    start: () =>
      method.from === undefined
        ? parameters.map((parameter, i) => firstValue(parameter, mixSeeds(seed, 1, i)))
        : method.from.factors.flatMap(({ A, B }) => [A, ...B].map((tensor) => tf.clone(tensor))),
    bind: (values, dropoutSeed) => {
      const factors = factorsOf(modules, values);
      const deltas = deltasOf(factors);
      if (dropoutSeed === null || dropout === 0) return { adapter: { deltas } };
      modules.forEach((module, m) => {
        // The parts of a fused module read one input, so they drop the same of it.
        const input = dropping(dropout, mixSeeds(dropoutSeed, m));
        for (const { name } of module.parts) {
          const delta = deltas.get(name);
          if (delta !== undefined) deltas.set(name, { ...delta, input });
        }
      });
      return { adapter: { deltas } };
    },
  };
}

/** Parameters in their order, as factors of the modules. */
export function factorsOf(
  modules: readonly MatchedModule[],
  values: readonly tf.Tensor[],
): LoraFactors[] {
  let next = 0;
  const take = (): tf.Tensor2D => values[next++] as tf.Tensor2D;
  return modules.map((module) => ({ module, A: take(), B: module.parts.map(take) }));
}

/** PEFT's start: A uniform within 1 / sqrt(inputs) (Kaiming with a = sqrt 5), B zero. */
function firstValue({ name, shape }: ParameterInfo, seed: number): tf.Tensor {
  const [rows, columns] = shape as readonly [number, number];
  if (!name.endsWith('.A')) return tf.zeros([rows, columns]);
  const bound = 1 / Math.sqrt(rows);
  const values = Float32Array.from(
    { length: rows * columns },
    (_, i) => (2 * uniformAt(seed, i) - 1) * bound,
  );
  return tf.tensor2d(values, [rows, columns]);
}

/** Inverted dropout of an input, drawn at its first use. */
function dropping(probability: number, seed: number): (x: tf.Tensor2D) => tf.Tensor2D {
  let mask: tf.Tensor2D | undefined;
  return (x) => {
    mask ??= tf.tensor2d(dropoutMask({ size: x.size, probability, seed }), x.shape);
    return tf.mul(x, mask);
  };
}
