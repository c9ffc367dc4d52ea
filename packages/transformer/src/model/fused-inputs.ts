// Inputs and attributes that several fused kernels have.
import type { FusedDeltas } from '@safeinfer/backend';
import type * as tf from '@tensorflow/tfjs-core';
import type { TokenDelta } from '../ops/linear.ts';
import type { Pass } from './pass.ts';
import { ropeTensors } from './rope-tensors.ts';

export function normInputs(pass: Pass, layer: number, name: 'ln1' | 'ln2', x: tf.Tensor2D) {
  const { w, b } = pass.normParts(`blocks.${layer}.${name}`);
  return { x, gain: w, ...defined({ bias: b }) };
}

export function normAttrs(pass: Pass) {
  const { kind, eps, gainOffset } = pass.config.norm;
  return { kind, eps, gainOffset };
}

/** Norm, weights and rotation of SafeInferHeads. */
export function headsInputs(pass: Pass, layer: number, x: tf.Tensor2D) {
  const rotary = pass.config.layers[layer]?.rotary ?? null;
  return {
    ...normInputs(pass, layer, 'ln1', x),
    wQ: pass.weight(`blocks.${layer}.attn.W_Q`),
    wK: pass.weight(`blocks.${layer}.attn.W_K`),
    wV: pass.weight(`blocks.${layer}.attn.W_V`),
    ...defined({
      bQ: pass.optional(`blocks.${layer}.attn.b_Q`),
      bK: pass.optional(`blocks.${layer}.attn.b_K`),
      bV: pass.optional(`blocks.${layer}.attn.b_V`),
    }),
    ...(rotary === null ? {} : ropeTensors(pass, rotary)),
  };
}

export function headsAttrs(pass: Pass, layer: number) {
  const { attention, nHeads, nKvHeads } = pass.config;
  return { ...normAttrs(pass), nHeads, nKvHeads, scale: attention.scale[layer] ?? 1 };
}

/** Weights of SafeInferMlp. */
export function mlpInputs(pass: Pass, layer: number) {
  return {
    wIn: pass.weight(`blocks.${layer}.mlp.W_in`),
    wOut: pass.weight(`blocks.${layer}.mlp.W_out`),
    ...(pass.config.mlp.gated ? { wGate: pass.weight(`blocks.${layer}.mlp.W_gate`) } : {}),
    ...defined({
      bGate: pass.optional(`blocks.${layer}.mlp.b_gate`),
      bIn: pass.optional(`blocks.${layer}.mlp.b_in`),
      bOut: pass.optional(`blocks.${layer}.mlp.b_out`),
    }),
  };
}

/** The weights of SafeInferHeads by its names. */
export const HEADS_WEIGHTS = { wQ: 'attn.W_Q', wK: 'attn.W_K', wV: 'attn.W_V' } as const;

export type ProductName = `attn.W_${'Q' | 'K' | 'V' | 'O'}` | `mlp.W_${'gate' | 'in' | 'out'}`;

/** The rows' deltas of a kernel's weights; undefined for none, 'none fit' where an input is not X (dropout). */
export function deltasOf(
  pass: Pass,
  layer: number,
  weights: Readonly<Record<string, ProductName>>,
): FusedDeltas | undefined | 'none fit' {
  if (!pass.adapted) return undefined;
  const found: Record<string, readonly TokenDelta[]> = {};
  for (const [input, weight] of Object.entries(weights)) {
    const deltas = pass.deltas(`blocks.${layer}.${weight}`);
    if (deltas.some((delta) => delta.input !== undefined)) return 'none fit';
    if (deltas.length > 0) found[input] = deltas;
  }
  return Object.keys(found).length === 0 ? undefined : found;
}

/** The entries that are there. */
export function defined<K extends string>(
  entries: Readonly<Record<K, tf.Tensor | undefined>>,
): Partial<Record<K, tf.Tensor>> {
  const kept: Partial<Record<K, tf.Tensor>> = {};
  for (const key of Object.keys(entries) as K[]) {
    const tensor = entries[key];
    if (tensor !== undefined) kept[key] = tensor;
  }
  return kept;
}
