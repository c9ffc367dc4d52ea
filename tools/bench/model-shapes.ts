// The two models that are measured: sizes of Llama 160M and of GPT-2 small, with random weights.
import { type ModelConfig, randomConfig, Transformer, weightShapes } from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';

export type ShapeName = 'llama' | 'gpt2';

/** 134 M and 124 M parameters. */
export const CONFIGS: Readonly<Record<ShapeName, ModelConfig>> = {
  llama: randomConfig({
    like: 'llama',
    vocabSize: 32_000,
    dModel: 768,
    nLayers: 12,
    nHeads: 12,
    nKvHeads: 12,
    dMlp: 2048,
    maxPositions: 2048,
  }),
  gpt2: randomConfig({
    like: 'gpt2',
    vocabSize: 50_257,
    dModel: 768,
    nLayers: 12,
    nHeads: 12,
    dMlp: 3072,
    maxPositions: 1024,
  }),
};

/** Bytes of the fp32 weights. */
export function weightBytes(config: ModelConfig): number {
  let values = 0;
  for (const shape of weightShapes(config).values())
    values += shape.reduce((n, axis) => n * axis, 1);
  return 4 * values;
}

/** A model of the shape on the active backend. Values are bounded and differ; speed does not depend on them. */
export function buildModel(config: ModelConfig): Transformer {
  const weights = new Map(
    [...weightShapes(config)].map(([name, shape], index) => {
      const size = shape.reduce((n, axis) => n * axis, 1);
      const values = new Float32Array(size);
      let state = index + 1;
      const centre = name.endsWith('.w') ? 1 : 0;
      for (let i = 0; i < size; i++) {
        state = (Math.imul(state, 1664525) + 1013904223) | 0;
        values[i] = centre + state * 2e-11;
      }
      return [name, tf.tensor(values, [...shape])] as const;
    }),
  );
  return new Transformer({ config, weights });
}
