// Removes what nothing reads: the mean that LayerNorm subtracts, and the shift that softmax ignores.
import { SafeInferError } from '@safeinfer/backend';
import * as tf from '@tensorflow/tfjs-core';
import type { WeightName } from '../config/weight-name.ts';
import type { TextCodec } from '../model/text-codec.ts';
import type { Transformer } from '../model/transformer.ts';
import { changeWeights } from './change-weights.ts';
import { unembeddingOf } from './unembedding.ts';

/**
 * A new model with the same logits whose writes to the residual stream have mean 0 along D:
 * W_E, W_pos, W_O, b_O, W_out, b_out. Every reader must centre first, so only LayerNorm models before
 * whose modules a norm stands qualify. Throws `UNSUPPORTED` for RMSNorm, which does read the mean.
 */
export function centreWritingWeights<T extends TextCodec>(model: Transformer<T>): Transformer<T> {
  const { config } = model;
  if (config.norm.kind !== 'layer' || !config.block.preNorm || config.block.postNorm) {
    throw new SafeInferError(`writing weights of family ${config.family} cannot be centred`, {
      code: 'UNSUPPORTED',
      hint: 'RMSNorm reads the mean of the residual stream: only LayerNorm models can be centred',
    });
  }
  return changeWeights(model, (draft) => {
    const unembedding = unembeddingOf(draft.all);
    for (const [name, weight] of model.weights) {
      if (!writes(name)) continue;
      draft.set(name, tf.sub(weight, tf.mean(weight, -1, true)));
    }
    draft.set('unembed.W_U', unembedding);
    return { ...config, tiedEmbeddings: false };
  });
}

function writes(name: WeightName): boolean {
  return /^(embed\.W_E|pos_embed\.W_pos)$|\.attn\.(W|b)_O$|\.mlp\.(W|b)_out$/.test(name);
}

/**
 * A new model whose logits have mean 0 over the vocabulary: log-probabilities are unchanged.
 * Throws `UNSUPPORTED` when a final soft-cap follows, which a shift of the logits would pass through.
 */
export function centreUnembedding<T extends TextCodec>(model: Transformer<T>): Transformer<T> {
  const { config } = model;
  if (config.finalSoftcap !== null) {
    throw new SafeInferError(
      `the unembedding of family ${config.family} cannot be centred: logits are soft-capped`,
      {
        code: 'UNSUPPORTED',
        hint: 'tanh does not commute with a shift, so log-probabilities would change',
      },
    );
  }
  return changeWeights(model, (draft) => {
    const matrix = unembeddingOf(draft.all);
    draft.set('unembed.W_U', tf.sub(matrix, tf.mean(matrix, 1, true)));
    const bias = draft.get('unembed.b_U');
    if (bias !== undefined) draft.set('unembed.b_U', tf.sub(bias, tf.mean(bias)));
    return { ...config, tiedEmbeddings: false };
  });
}
