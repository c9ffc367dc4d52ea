// Moves value biases through the output projection: pattern rows sum to 1, so every token gets them whole.
import { SafeInferError } from '@safeinfer/backend';
import * as tf from '@tensorflow/tfjs-core';
import type { TextCodec } from '../model/text-codec.ts';
import type { Transformer } from '../model/transformer.ts';
import { changeWeights } from './change-weights.ts';

/**
 * A new model with the same logits, b_O' = b_O + b_V W_O (each value head repeated for its query heads)
 * and b_V = 0. It stops being the same model once a pattern is edited so that its rows no longer sum to 1.
 * Throws `UNSUPPORTED` when there are no value biases.
 */
export function foldValueBiases<T extends TextCodec>(model: Transformer<T>): Transformer<T> {
  const { config } = model;
  const { nLayers, nHeads, nKvHeads, dHead } = config;
  if (!config.biases.qkv) {
    throw new SafeInferError(`models of family ${config.family} have no value biases`, {
      code: 'UNSUPPORTED',
      hint: 'there is nothing to fold: use the model as it is',
    });
  }
  return changeWeights(model, (draft) => {
    for (let layer = 0; layer < nLayers; layer++) {
      const bias = draft.need<tf.Tensor1D>(`blocks.${layer}.attn.b_V`);
      const output = draft.need<tf.Tensor2D>(`blocks.${layer}.attn.W_O`);
      const grouped = tf.reshape(bias, [nKvHeads, 1, dHead]);
      const perHead: tf.Tensor2D = tf.reshape(tf.tile(grouped, [1, nHeads / nKvHeads, 1]), [
        1,
        nHeads * dHead,
      ]);
      const moved: tf.Tensor1D = tf.reshape(tf.matMul(perHead, output), [-1]);
      const old = draft.get(`blocks.${layer}.attn.b_O`);
      draft.set(`blocks.${layer}.attn.b_O`, old === undefined ? moved : tf.add(old, moved));
      draft.set(`blocks.${layer}.attn.b_V`, tf.zerosLike(bias));
    }
    return { ...config, biases: { ...config.biases, attnOut: true } };
  });
}
