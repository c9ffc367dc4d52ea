// The weights that a training from nothing begins with.
import { mixSeeds } from '@safeinfer/finetune';
import { type ModelConfig, normals, type WeightName, weightShapes } from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';

/** Normal, by fan-in; embeddings 0.02; outputs into the residual stream smaller by depth; gains one. */
export function startingWeights(own: ModelConfig, start: number): Map<WeightName, tf.Tensor> {
  const weights = new Map<WeightName, tf.Tensor>();
  let index = 0;
  for (const [name, shape] of weightShapes(own)) {
    const [rows = 1, columns = 1] = shape;
    const depth = /W_(O|out)$/.test(name) ? Math.sqrt(2 * own.nLayers) : 1;
    const spread = name === 'embed.W_E' ? 0.02 : 1 / Math.sqrt(rows) / depth;
    const numbers =
      shape.length === 1
        ? new Float32Array(rows).fill(1)
        : normals(mixSeeds(start, 3, index), rows * columns).map((x) => x * spread);
    weights.set(name, tf.tensor(numbers, [...shape]));
    index++;
  }
  return weights;
}
