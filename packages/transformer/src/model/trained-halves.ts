// Halves of a block in a differentiable pass as single kernels, where nobody looks at or changes what is inside.
import { hasTrainingKernel, type TrainedLinear, type TrainedNorm } from '@safeinfer/backend';
import * as tf from '@tensorflow/tfjs-core';
import type { BlockWeight, WeightName } from '../config/weight-name.ts';
import * as half from '../ops/half-gradient.ts';
import { isTaped } from '../ops/is-taped.ts';
import { packIndex, unpackIndex } from './layout.ts';
import { maskFor, slotPositions } from './packing.ts';
import type { Pass } from './pass.ts';
import { ropeTensors } from './rope-tensors.ts';

/** Points inside each half, by the part of their name after `blocks.{i}.`. */
const INSIDE = {
  attention: /^(ln1\.|attn\.|hook_attn|hook_[qkv]_input)/,
  mlp: /^(ln2\.|mlp\.|hook_mlp)/,
} as const;

/** The residual stream after attention of block `layer`, or undefined where it must be composed. */
export function trainedAttentionAt(
  pass: Pass,
  layer: number,
  x: tf.Tensor2D,
): tf.Tensor2D | undefined {
  const { config } = pass;
  const { nHeads, nKvHeads, dHead, attention } = config;
  if (!applies(pass, layer, 'attention') || attention.qkNorm !== 'none') return undefined;
  if (attention.softcap !== null || pass.rows.some(({ cache }) => cache !== undefined)) {
    return undefined;
  }
  const parts = gather(pass, `blocks.${layer}.ln1`, x);
  for (const name of ['Q', 'K', 'V', 'O'] as const) {
    if (!parts.linear(name, `blocks.${layer}.attn`)) return undefined;
  }
  const { inputs, norm, linears } = parts;
  const rotary = config.layers[layer]?.rotary ?? null;
  if (rotary !== null) Object.assign(inputs, ropeTensors(pass, rotary));
  const mask = maskFor(pass, slotPositions(pass), layer);
  if (mask !== undefined) inputs['mask'] = mask;
  const { layout } = pass;
  if (!layout.uniform) {
    inputs['slots'] = pass.memo('slots', () => tf.tensor1d(paddedSlots(pass), 'int32'));
    inputs['places'] = pass.memo('unpack', () =>
      tf.tensor1d(unpackIndex(layout, pass.side), 'int32'),
    );
  }
  return half.trainedAttention(inputs, {
    norm,
    linears,
    nHeads,
    nKvHeads,
    dHead,
    scale: attention.scale[layer] ?? 1,
    rotary: rotary !== null,
    rows: layout.streams.length,
    longest: layout.longest,
  });
}

/** The residual stream after the MLP of block `layer`, or undefined where it must be composed. */
export function trainedMlpAt(pass: Pass, layer: number, x: tf.Tensor2D): tf.Tensor2D | undefined {
  const { gated, activation } = pass.config.mlp;
  if (!applies(pass, layer, 'mlp')) return undefined;
  const parts = gather(pass, `blocks.${layer}.ln2`, x);
  for (const name of gated ? (['gate', 'in', 'out'] as const) : (['in', 'out'] as const)) {
    if (!parts.linear(name, `blocks.${layer}.mlp`)) return undefined;
  }
  const { inputs, norm, linears } = parts;
  return half.trainedMlp(inputs, { norm, linears, activation });
}

function applies(pass: Pass, layer: number, part: keyof typeof INSIDE): boolean {
  if (!pass.taped || !isTaped()) return false;
  if (!hasTrainingKernel(part === 'mlp' ? 'SafeInferTrainMlp' : 'SafeInferTrainAttention')) {
    return false;
  }
  const { block } = pass.config;
  if (!block.preNorm || block.sharedNorm || block.postNorm || block.layout !== 'sequential') {
    return false;
  }
  const { captures, edits, probes } = pass.plan;
  const prefix = `blocks.${layer}.`;
  const inside = (name: string): boolean =>
    name.startsWith(prefix) && INSIDE[part].test(name.slice(prefix.length));
  return ![captures, edits, probes].some((points) => [...points.keys()].some(inside));
}

/** The norm's tensors and attributes; linears are added one by one. */
function gather(pass: Pass, normName: `blocks.${number}.${'ln1' | 'ln2'}`, x: tf.Tensor2D) {
  const { w, b, kind, eps, gainOffset } = pass.normParts(normName);
  const inputs: Record<string, tf.Tensor> = { x, gain: w };
  if (b !== undefined) inputs['normBias'] = b;
  const norm: TrainedNorm = {
    kind,
    eps,
    gainOffset,
    bias: b !== undefined,
    trainsGain: pass.trains(`${normName}.w`),
    trainsBias: b !== undefined && pass.trains(`${normName}.b`),
  };
  const linears: Record<string, TrainedLinear> = {};
  /** False for deltas that the kernels do not have: several at once, of some rows only, or with dropout. */
  const linear = (name: string, module: `blocks.${number}.${'attn' | 'mlp'}`): boolean => {
    const weightName = `${module}.W_${name}` as BlockWeight as WeightName;
    const biasName = `${module}.b_${name}` as BlockWeight as WeightName;
    const deltas = pass.deltas(weightName);
    const [delta] = deltas;
    if (deltas.length > 1 || delta?.input !== undefined) return false;
    if (delta !== undefined && typeof delta.scale !== 'number') return false;
    inputs[`w${name}`] = pass.weight(weightName);
    const bias = pass.optional(biasName);
    if (bias !== undefined) inputs[`b${name}`] = bias;
    if (delta !== undefined) {
      inputs[`A${name}`] = delta.A;
      inputs[`B${name}`] = delta.B;
    }
    linears[name] = {
      bias: bias !== undefined,
      scale: (delta?.scale as number | undefined) ?? null,
      trainsWeight: pass.trains(weightName),
      trainsBias: bias !== undefined && pass.trains(biasName),
    };
    return true;
  };
  return { inputs, norm, linears, linear };
}

/** Token of each packed slot; padding names the token after the last, which the kernel takes as zeros. */
function paddedSlots({ layout, side }: Pass): Int32Array {
  const slots = new Int32Array(layout.streams.length * layout.longest).fill(layout.tokens);
  const places = unpackIndex(layout, side);
  const tokens = packIndex(layout, side);
  for (const place of places) slots[place] = tokens[place] as number;
  return slots;
}
