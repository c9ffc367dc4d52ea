// Halves of a block as single kernels, where the backend has them and nobody looks at or changes what is inside.
import { hasFusedKernel, runFused, runFusedHeads } from '@safeinfer/backend';
import type * as tf from '@tensorflow/tfjs-core';
import type { BlockPoint, HookName } from '../hooks/hook-name.ts';
import {
  defined,
  deltasOf,
  HEADS_WEIGHTS,
  headsAttrs,
  headsInputs,
  mlpInputs,
  normAttrs,
  normInputs,
} from './fused-inputs.ts';
import type { Pass } from './pass.ts';

const PROJECTION_POINTS: readonly BlockPoint[] = [
  'ln1.hook_scale',
  'ln1.hook_normalized',
  'ln1.hook_out',
  'hook_attn_in',
  'hook_q_input',
  'hook_k_input',
  'hook_v_input',
  'attn.hook_q',
  'attn.hook_k',
  'attn.hook_v',
  'attn.hook_rot_q',
  'attn.hook_rot_k',
];
const OUTPUT_POINTS: readonly BlockPoint[] = [
  'attn.hook_result',
  'hook_attn_out_raw',
  'hook_attn_out',
];
const MLP_POINTS: readonly BlockPoint[] = [
  'hook_mlp_in',
  'ln2.hook_scale',
  'ln2.hook_normalized',
  'ln2.hook_out',
  'mlp.hook_pre',
  'mlp.hook_pre_linear',
  'mlp.hook_post',
  'hook_mlp_out_raw',
  'hook_mlp_out',
];

/** Queries [N, h, e] rotated and scaled, keys rotated and values [N, kv, e]; undefined where they are not one kernel. */
export function fusedProjections(
  pass: Pass,
  layer: number,
  x: tf.Tensor2D,
): { q: tf.Tensor3D; k: tf.Tensor3D; v: tf.Tensor3D } | undefined {
  const { block, attention } = pass.config;
  if (!hasFusedKernel('SafeInferHeads')) return undefined;
  if (!block.preNorm || block.layout !== 'sequential' || attention.qkNorm !== 'none') {
    return undefined;
  }
  if (!untouched(pass, layer, PROJECTION_POINTS)) return undefined;
  const deltas = deltasOf(pass, layer, HEADS_WEIGHTS);
  if (deltas === 'none fit') return undefined;
  const made = runFusedHeads(headsInputs(pass, layer, x), headsAttrs(pass, layer), deltas);
  if (made === undefined) return undefined;
  const [q, k, v] = made as [tf.Tensor3D, tf.Tensor3D, tf.Tensor3D];
  return { q, k, v };
}

/** x + z W_O (+ bias) for `z` [N, h e]: the residual stream after attention. */
export function fusedOutput(
  pass: Pass,
  layer: number,
  parts: { readonly x: tf.Tensor2D; readonly z: tf.Tensor2D },
): tf.Tensor2D | undefined {
  const { block } = pass.config;
  if (!hasFusedKernel('SafeInferAddProduct')) return undefined;
  if (block.postNorm || block.layout !== 'sequential') return undefined;
  if (!untouched(pass, layer, OUTPUT_POINTS)) return undefined;
  const deltas = deltasOf(pass, layer, { w: 'attn.W_O' });
  if (deltas === 'none fit') return undefined;
  return runFused(
    'SafeInferAddProduct',
    {
      x: parts.x,
      y: parts.z,
      w: pass.weight(`blocks.${layer}.attn.W_O`),
      ...defined({ bias: pass.optional(`blocks.${layer}.attn.b_O`) }),
    },
    {},
    deltas,
  ) as tf.Tensor2D | undefined;
}

/** The residual stream after the MLP, from the one before its norm. */
export function fusedMlp(pass: Pass, layer: number, x: tf.Tensor2D): tf.Tensor2D | undefined {
  const { block, mlp } = pass.config;
  if (!hasFusedKernel('SafeInferMlp')) return undefined;
  if (!block.preNorm || block.sharedNorm || block.postNorm || block.layout !== 'sequential') {
    return undefined;
  }
  if (!untouched(pass, layer, MLP_POINTS)) return undefined;
  const deltas = deltasOf(pass, layer, {
    ...(mlp.gated ? { wGate: 'mlp.W_gate' as const } : {}),
    wIn: 'mlp.W_in',
    wOut: 'mlp.W_out',
  });
  if (deltas === 'none fit') return undefined;
  return runFused(
    'SafeInferMlp',
    {
      ...normInputs(pass, layer, 'ln2', x),
      ...mlpInputs(pass, layer),
    },
    { ...normAttrs(pass), activation: mlp.activation },
    deltas,
  ) as tf.Tensor2D | undefined;
}

function untouched(pass: Pass, layer: number, points: readonly BlockPoint[]): boolean {
  const { captures, edits, probes } = pass.plan;
  if (captures.size + edits.size + probes.size === 0) return true;
  return !points.some((point) => pass.touches(`blocks.${layer}.${point}` as HookName));
}
