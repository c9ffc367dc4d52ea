// Models with seeded random weights, scaled so that every part of the architecture matters: for tests and benches.
import * as tf from '@tensorflow/tfjs-core';
import type { ModelConfig } from '../config/model-config.ts';
import type { WeightName } from '../config/weight-name.ts';
import { weightShapes } from '../config/weight-shapes.ts';
import { normals } from '../random/seeded-random.ts';
import type { TextCodec } from './text-codec.ts';
import { Transformer } from './transformer.ts';

/** Sizes of a random model; everything not given follows from `like`. */
export interface RandomModelSizes {
  /** 'llama': RMSNorm, rotary, gated MLP, grouped heads. 'gpt2': LayerNorm, learned positions, tied, biases. */
  readonly like?: 'llama' | 'gpt2';
  readonly vocabSize?: number;
  readonly dModel?: number;
  readonly nLayers?: number;
  readonly nHeads?: number;
  readonly nKvHeads?: number;
  readonly dHead?: number;
  readonly dMlp?: number;
  readonly maxPositions?: number;
}

/** A configuration of the given kind: 2 layers of width 32 unless sizes say otherwise. */
export function randomConfig(sizes: RandomModelSizes = {}): ModelConfig {
  const { like = 'llama', vocabSize = 96, dModel = 32, nLayers = 2, nHeads = 4 } = sizes;
  const llama = like === 'llama';
  const dHead = sizes.dHead ?? dModel / nHeads;
  return {
    family: like,
    vocabSize,
    dModel,
    nLayers,
    nHeads,
    nKvHeads: sizes.nKvHeads ?? (llama ? Math.max(1, nHeads / 2) : nHeads),
    dHead,
    dMlp: sizes.dMlp ?? (llama ? 2 : 4) * dModel,
    maxPositions: sizes.maxPositions ?? 256,
    norm: { kind: llama ? 'rms' : 'layer', eps: llama ? 1e-6 : 1e-5, gainOffset: 0 },
    block: { layout: 'sequential', sharedNorm: false, preNorm: true, postNorm: false },
    positions: llama ? 'rotary' : 'learned',
    attention: {
      scale: new Array<number>(nLayers).fill(dHead ** -0.5),
      softcap: null,
      qkNorm: 'none',
      qkNormKind: 'rms',
    },
    mlp: { gated: llama, activation: llama ? 'silu' : 'gelu_tanh' },
    biases: { qkv: !llama, attnOut: !llama, mlp: !llama, unembed: false },
    layers: Array.from({ length: nLayers }, () => ({
      window: null,
      rotary: llama
        ? { dim: dHead, theta: 10_000, interleaved: false, scaling: { kind: 'none' } }
        : null,
    })),
    embedScale: 1,
    finalSoftcap: null,
    tiedEmbeddings: !llama,
    bosTokenId: null,
    eosTokenIds: [],
  };
}

/**
 * Weights of a configuration: matrices N(0, 2.25 / fan-in), gains 1 +- 0.2, biases +- 0.1, embeddings N(0, 1).
 * With the usual 0.02 a wrong activation or mask hardly moves the logits; with these it does.
 */
export function randomWeights(config: ModelConfig, seed: number): Map<WeightName, tf.Tensor> {
  const weights = new Map<WeightName, tf.Tensor>();
  let stream = 0;
  for (const [name, shape] of weightShapes(config)) {
    const size = shape.reduce((product, axis) => product * axis, 1);
    // Seeds of different weights are far apart, so that their number streams do not repeat each other.
    const values = normals(Math.imul(seed + 1, 1_000_003) + 7919 * stream++, size);
    const [centre, spread] = statisticsOf(name, shape, config);
    for (let i = 0; i < size; i++) values[i] = centre + spread * (values[i] as number);
    weights.set(name, tf.tensor(values, [...shape]));
  }
  return weights;
}

function statisticsOf(
  name: WeightName,
  shape: readonly number[],
  { norm }: ModelConfig,
): [centre: number, spread: number] {
  if (name === 'embed.W_E' || name === 'pos_embed.W_pos') return [0, 1];
  if (shape.length === 2) return [0, 1.5 / Math.sqrt(shape[0] as number)];
  return name.endsWith('.w') ? [1 - norm.gainOffset, 0.2] : [0, 0.1];
}

/** A random model. `config` is a whole configuration, or sizes that complete a small llama- or gpt2-like one. */
export function createRandomModel<T extends TextCodec = TextCodec>(options: {
  readonly config?: ModelConfig | RandomModelSizes;
  readonly seed: number;
  readonly tokenizer?: T;
}): Transformer<T> {
  const { config: given = {}, seed, tokenizer } = options;
  const config = 'family' in given ? given : randomConfig(given);
  return new Transformer({ config, weights: randomWeights(config, seed), tokenizer });
}
