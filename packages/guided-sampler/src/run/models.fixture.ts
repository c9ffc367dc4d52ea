// Small random models with adapters and steering, shared by the tests of execution.
import {
  createRandomModel,
  type Intervention,
  type TextCodec,
  type Transformer,
} from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';

/** Makes distributions peaked, so that skip rules fire: random unembeddings alone give nearly flat ones. */
function sharpen(model: Transformer, factor: number): void {
  const name = model.weights.has('unembed.W_U') ? 'unembed.W_U' : 'embed.W_E';
  const old = model.weights.get(name) as tf.Tensor;
  model.setWeight(name, tf.mul(old, factor));
}

export interface TestModel extends Disposable {
  readonly model: Transformer;
  readonly steer: readonly Intervention[];
}

/** A three-block model with adapters "unsafe" and "other" on the output projections, and a steering vector. */
export function testModel(
  options: {
    seed?: number;
    sharp?: number;
    vocabSize?: number;
    nLayers?: number;
    tokenizer?: TextCodec;
  } = {},
): TestModel {
  const { seed = 1, sharp = 4, vocabSize = 96, nLayers = 3, tokenizer } = options;
  const model = createRandomModel({
    config: { vocabSize, nLayers },
    seed,
    ...(tokenizer === undefined ? {} : { tokenizer }),
  });
  sharpen(model, sharp);
  const { dModel } = model.config;
  const tensors: tf.Tensor[] = [];
  for (const [name, scale] of [
    ['unsafe', 0.3],
    ['other', 0.2],
    ['third', 0.25],
  ] as const) {
    const values = (salt: number, n: number): Float32Array =>
      Float32Array.from({ length: n }, (_, i) => Math.sin((i + 1) * (salt + name.length * 7.3)));
    const width = model.config.nHeads * model.config.dHead;
    const A = tf.tensor2d(values(1.7, width * 2), [width, 2]);
    const B = tf.tensor2d(values(2.9, 2 * dModel), [2, dModel]);
    tensors.push(A, B);
    model.addAdapter(name, { deltas: new Map([['blocks.1.attn.W_O', { A, B, scale }]]) });
  }
  const vector = Float32Array.from({ length: dModel }, (_, i) => Math.cos(i * 1.3));
  return {
    model,
    steer: [{ at: 'blocks.1.hook_resid_post', op: 'add', vector, scale: 0.5, positions: 'last' }],
    [Symbol.dispose]: () => {
      model.dispose();
      tf.dispose(tensors);
    },
  };
}

/** Prompts of different lengths from a fixed generator. */
export function testPrompts(count: number, vocabSize = 96): number[][] {
  return Array.from({ length: count }, (_, p) =>
    Array.from(
      { length: 2 + ((p * 5) % 9) },
      (__, i) => (p * 31 + i * 17 + ((p * i) % 7)) % vocabSize,
    ),
  );
}
