// Second half of a block: norm, MLP, and the sum that is the block's output.
import * as tf from '@tensorflow/tfjs-core';
import type { BlockPoint, HookName } from '../hooks/hook-name.ts';
import { activate, gate } from '../ops/activation.ts';
import { linear } from '../ops/linear.ts';
import { norm } from '../ops/norm.ts';
import type { AttentionState } from './attention-half.ts';
import { fusedMlp } from './fused-halves.ts';
import { normAt } from './norm-at.ts';
import type { Pass } from './pass.ts';
import { refuseNormEdits } from './split-inputs.ts';
import { trainedMlpAt } from './trained-halves.ts';

/** The block's output [N, D]. */
export function mlpHalf(pass: Pass, layer: number, state: AttentionState): tf.Tensor2D {
  const { config } = pass;
  const name = (point: BlockPoint): HookName => `blocks.${layer}.${point}`;
  const fused = trainedMlpAt(pass, layer, state.x) ?? fusedMlp(pass, layer, state.x);
  if (fused !== undefined) return pass.at(name('hook_resid_post'), fused);
  const input = pass.at(name('hook_mlp_in'), state.x);
  const out = mlp(pass, layer, normedInput(pass, layer, input, state));
  const raw = pass.at(name('hook_mlp_out_raw'), out);
  const contribution = config.block.postNorm ? normAt(pass, `blocks.${layer}.ln2_post`, raw) : raw;
  const added = pass.at(name('hook_mlp_out'), contribution);
  const both = state.attn === undefined ? added : tf.add(state.attn, added);
  return pass.at(name('hook_resid_post'), tf.add(state.x, both));
}

function normedInput(
  pass: Pass,
  layer: number,
  input: tf.Tensor2D,
  state: AttentionState,
): tf.Tensor2D {
  const { preNorm, sharedNorm } = pass.config.block;
  if (!preNorm) return input;
  if (!sharedNorm) return normAt(pass, `blocks.${layer}.ln2`, input);
  // The shared norm ran for attention; an edited MLP input needs its own.
  if (input === state.x && state.normed !== undefined) return state.normed;
  refuseNormEdits(pass, layer);
  return norm(input, pass.normParts(`blocks.${layer}.ln1`)) as tf.Tensor2D;
}

function mlp(pass: Pass, layer: number, x: tf.Tensor2D): tf.Tensor2D {
  const { gated, activation } = pass.config.mlp;
  const project = (which: 'gate' | 'in' | 'out', input: tf.Tensor2D): tf.Tensor2D =>
    linear({
      x: input,
      w: pass.weight(`blocks.${layer}.mlp.W_${which}`),
      bias: pass.optional(`blocks.${layer}.mlp.b_${which}`),
      deltas: pass.deltas(`blocks.${layer}.mlp.W_${which}`),
    });
  const pre = pass.at(`blocks.${layer}.mlp.hook_pre`, project(gated ? 'gate' : 'in', x));
  const post = gated
    ? gate(pre, pass.at(`blocks.${layer}.mlp.hook_pre_linear`, project('in', x)), activation)
    : activate(pre, activation);
  return project('out', pass.at(`blocks.${layer}.mlp.hook_post`, post));
}
