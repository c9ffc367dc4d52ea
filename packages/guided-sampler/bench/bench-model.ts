// The model of the benchmarks: Llama-160M's shape with random weights, and a rank-16 adapter on q and v.
import {
  type Adapter,
  type ModelConfig,
  randomConfig,
  Transformer,
  type WeightName,
  weightShapes,
} from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';

/** JackFram/llama-160m: 162 M parameters. */
export const SHAPE = { vocab: 32_000, width: 768, layers: 12, heads: 12, mlp: 3072 } as const;

export const CONFIG: ModelConfig = randomConfig({
  like: 'llama',
  vocabSize: SHAPE.vocab,
  dModel: SHAPE.width,
  nLayers: SHAPE.layers,
  nHeads: SHAPE.heads,
  nKvHeads: SHAPE.heads,
  dMlp: SHAPE.mlp,
  maxPositions: 2048,
});

function uniform(size: number, seed: number, spread: number): Float32Array {
  const values = new Float32Array(size);
  let state = seed + 1;
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    values[i] = (state / 2147483648) * spread;
  }
  return values;
}

/** Uniform weights scaled by fan-in: speed does not depend on the values, the text should not collapse. */
export function benchModel(config: ModelConfig = CONFIG): Transformer {
  const weights = new Map(
    [...weightShapes(config)].map(([name, shape], index) => {
      const size = shape.reduce((n, axis) => n * axis, 1);
      const vector = shape.length === 1;
      const values = vector
        ? new Float32Array(size).fill(1)
        : uniform(size, index, Math.sqrt(3 / (shape[0] as number)));
      return [name, tf.tensor(values, [...shape])] as const;
    }),
  );
  return new Transformer({ config, weights });
}

/** Rank of the benchmark adapters. */
export const RANK = 16;

/** LoRA on the query and value projections of every layer. */
export function benchAdapter(config: ModelConfig = CONFIG, rank = RANK): Adapter {
  const deltas = new Map<WeightName, { A: tf.Tensor2D; B: tf.Tensor2D; scale: number }>();
  for (let layer = 0; layer < config.nLayers; layer++) {
    for (const [i, name] of (['W_Q', 'W_V'] as const).entries()) {
      const out = (name === 'W_Q' ? config.nHeads : config.nKvHeads) * config.dHead;
      const seed = 1000 + 10 * layer + i;
      deltas.set(`blocks.${layer}.attn.${name}`, {
        A: tf.tensor2d(uniform(config.dModel * rank, seed, 0.05), [config.dModel, rank]),
        B: tf.tensor2d(uniform(rank * out, seed + 5, 0.05), [rank, out]),
        scale: 1,
      });
    }
  }
  return { deltas };
}
