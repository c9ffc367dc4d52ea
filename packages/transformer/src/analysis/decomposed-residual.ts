// The residual stream as a sum of what each component wrote, with a remainder that makes the sum exact.
import * as tf from '@tensorflow/tfjs-core';
import type { WeightName } from '../config/weight-name.ts';
import type { HookName } from '../hooks/hook-name.ts';
import { checkedLayer, residualBefore } from './accumulated-residual.ts';
import type { CapturedRow, Detail } from './captured-row.ts';
import { type ComponentStack, componentStack } from './component-stack.ts';

interface Parts {
  readonly labels: string[];
  readonly parts: tf.Tensor3D[];
}

/**
 * Everything written to the residual stream that block `layer` (default: the final norm) reads:
 * `embed`, `pos_embed`, then `0_attn_out`, `0_mlp_out`, ... or, finer, `L0H3` a head and `L0N17` a
 * neuron. The last component, `remainder`, is the captured stream minus all others: output biases when
 * heads or neurons are split, edits of the stream by interventions, adapters, and rounding.
 * In post-norm blocks heads and neurons pass through the norm with its captured scale.
 * Shape [components, p, D]; the sum over components is the captured stream.
 */
export function decomposedResidual(
  options: CapturedRow & {
    readonly layer?: number;
    /** Default 'modules'. 'neurons' also splits heads; it holds nLayers x m components. */
    readonly detail?: Detail;
  },
): ComponentStack {
  const { model, result, row = 0, detail = 'modules' } = options;
  const layer = checkedLayer(options, options.layer);
  const labels: string[] = [];
  const stack = tf.tidy(() => {
    const parts: tf.Tensor3D[] = [];
    const whole = (label: string, name: HookName): void => {
      labels.push(label);
      parts.push(tf.expandDims(result.captured(row, name) as tf.Tensor2D, 0) as tf.Tensor3D);
    };
    const add = (split: Parts): void => {
      labels.push(...split.labels);
      parts.push(...split.parts);
    };
    whole('embed', 'hook_embed');
    if (model.config.positions === 'learned') whole('pos_embed', 'hook_pos_embed');
    for (let l = 0; l < layer; l++) {
      if (detail === 'modules') whole(`${l}_attn_out`, `blocks.${l}.hook_attn_out`);
      else add(headParts(options, l));
      if (detail === 'neurons') add(neuronParts(options, l));
      else whole(`${l}_mlp_out`, `blocks.${l}.hook_mlp_out`);
    }
    const known = tf.concat(parts, 0);
    const total = residualBefore(options, layer);
    labels.push('remainder');
    return tf.concat([known, tf.expandDims(tf.sub(total, tf.sum(known, 0)), 0)], 0) as tf.Tensor3D;
  });
  return componentStack(labels, stack);
}

/**
 * What each head of every layer below `layer` writes, [heads, p, D], labelled `L0H0`, `L0H1`, ...;
 * without output biases.
 */
export function headContributions(
  options: CapturedRow & { readonly layer?: number },
): ComponentStack {
  const layer = checkedLayer(options, options.layer);
  const split = Array.from({ length: layer }, (_, l) => l);
  const labels: string[] = [];
  const stack = tf.tidy(() => {
    const parts = split.flatMap((l) => {
      const heads = headParts(options, l);
      labels.push(...heads.labels);
      return heads.parts;
    });
    const { dModel } = options.model.config;
    const { result, row = 0 } = options;
    const tokens = (result.captured(row, 'hook_embed').shape[0] as number) ?? 0;
    return parts.length === 0 ? tf.zeros([0, tokens, dModel]) : tf.concat(parts, 0);
  });
  return componentStack(labels, stack as tf.Tensor3D);
}

function headParts({ model, result, row = 0 }: CapturedRow, layer: number): Parts {
  const { nHeads, dHead, dModel } = model.config;
  const z = result.captured(row, `blocks.${layer}.attn.hook_z`) as tf.Tensor3D;
  const matrix = weightOf(model.weights, `blocks.${layer}.attn.W_O`);
  const perHead = tf.reshape(matrix, [nHeads, dHead, dModel]);
  const written: tf.Tensor3D = tf.matMul(tf.transpose(z, [1, 0, 2]), perHead);
  return {
    labels: Array.from({ length: nHeads }, (_, head) => `L${layer}H${head}`),
    parts: [throughPostNorm({ model, result, row }, `blocks.${layer}.ln1_post`, written)],
  };
}

function neuronParts({ model, result, row = 0 }: CapturedRow, layer: number): Parts {
  const post = result.captured(row, `blocks.${layer}.mlp.hook_post`) as tf.Tensor2D;
  const matrix = weightOf(model.weights, `blocks.${layer}.mlp.W_out`);
  const written: tf.Tensor3D = tf.mul(
    tf.expandDims(tf.transpose(post), 2),
    tf.expandDims(matrix, 1),
  );
  return {
    labels: Array.from({ length: model.config.dMlp }, (_, neuron) => `L${layer}N${neuron}`),
    parts: [throughPostNorm({ model, result, row }, `blocks.${layer}.ln2_post`, written)],
  };
}

/** A norm after the module is linear once its scale is known: centre (LayerNorm), divide, gain. */
function throughPostNorm(
  { model, result, row = 0 }: CapturedRow,
  norm: `blocks.${number}.${'ln1_post' | 'ln2_post'}`,
  written: tf.Tensor3D,
): tf.Tensor3D {
  const { config, weights } = model;
  if (!config.block.postNorm) return written;
  const centred =
    config.norm.kind === 'layer' ? tf.sub(written, tf.mean(written, -1, true)) : written;
  const stored = weightOf(weights, `${norm}.w`);
  const gain = tf.add(stored, config.norm.gainOffset);
  return tf.mul(tf.div(centred, result.captured(row, `${norm}.hook_scale`)), gain);
}

function weightOf(weights: ReadonlyMap<WeightName, tf.Tensor>, name: WeightName): tf.Tensor2D {
  return weights.get(name) as tf.Tensor2D;
}
