// The final norm and the unembedding, applied to parts of the residual stream.
import * as tf from '@tensorflow/tfjs-core';
import type { Transformer } from '../model/transformer.ts';
import { softcap } from '../ops/attention.ts';
import { type NormParts, norm } from '../ops/norm.ts';

function partsOf({ config, weights }: Transformer): NormParts {
  return {
    w: weights.get('ln_final.w') as tf.Tensor,
    b: weights.get('ln_final.b'),
    kind: config.norm.kind,
    eps: config.norm.eps,
    gainOffset: config.norm.gainOffset,
  };
}

/** Normalises whole residual streams, each by its own scale: the form a logit lens needs. */
export function finalNorm(model: Transformer, x: tf.Tensor): tf.Tensor {
  return norm(x, partsOf(model));
}

/**
 * The linear part of the final norm at a given scale: what a component contributes to its output.
 * Components share one scale, [p, 1] of the whole stream; the norm's bias belongs to none of them.
 */
export function scaledByFinalNorm(
  model: Transformer,
  components: tf.Tensor3D,
  scale: tf.Tensor,
): tf.Tensor3D {
  const { w, kind, gainOffset } = partsOf(model);
  const centred = kind === 'layer' ? tf.sub(components, tf.mean(components, -1, true)) : components;
  return tf.mul(tf.div(centred, scale), tf.add(w, gainOffset));
}

/** Logits of normalised streams [..., D] -> [..., V], with the bias and the final soft-cap. */
export function unembedded(model: Transformer, normed: tf.Tensor): tf.Tensor {
  const { config, weights } = model;
  const width = config.dModel;
  const flat: tf.Tensor2D = tf.reshape(normed, [-1, width]);
  const own = weights.get('unembed.W_U') as tf.Tensor2D | undefined;
  const logits =
    own === undefined
      ? tf.matMul(flat, weights.get('embed.W_E') as tf.Tensor2D, false, true)
      : tf.matMul(flat, own);
  const bias = weights.get('unembed.b_U');
  const biased = bias === undefined ? logits : tf.add(logits, bias);
  return tf.reshape(softcap(biased, config.finalSoftcap), [
    ...normed.shape.slice(0, -1),
    config.vocabSize,
  ]);
}

/** [D] direction of the residual stream after the final norm that raises a token's logit. */
export function unembeddingDirection(model: Transformer, token: number): tf.Tensor1D {
  const { config, weights } = model;
  const own = weights.get('unembed.W_U');
  return own === undefined
    ? tf.reshape(tf.slice(weights.get('embed.W_E') as tf.Tensor, [token, 0], [1, -1]), [
        config.dModel,
      ])
    : tf.reshape(tf.slice(own, [0, token], [-1, 1]), [config.dModel]);
}
