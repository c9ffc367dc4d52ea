// Per-head copies of the residual stream before the norm, computed only when somebody names them.
import { SafeInferError } from '@safeinfer/backend';
import * as tf from '@tensorflow/tfjs-core';
import type { HookName } from '../hooks/hook-name.ts';
import { norm } from '../ops/norm.ts';
import type { Pass } from './pass.ts';

/** [N, heads, D] inputs of the projections that no longer read the shared residual stream. */
export interface SplitInputs {
  readonly Q: tf.Tensor3D | undefined;
  readonly K: tf.Tensor3D | undefined;
  readonly V: tf.Tensor3D | undefined;
}

/**
 * Runs hook_attn_in, hook_q_input, hook_k_input and hook_v_input. A projection reads its own copy only when
 * that copy was changed, so reading these points leaves every bit as it was.
 */
export function splitInputs(pass: Pass, layer: number, x: tf.Tensor2D): SplitInputs {
  const { nHeads, nKvHeads } = pass.config;
  const copies = (heads: number): tf.Tensor3D => tf.tile(tf.expandDims(x, 1), [1, heads, 1]);
  const common: HookName = `blocks.${layer}.hook_attn_in`;
  let base: tf.Tensor3D | undefined;
  if (pass.touches(common)) {
    const shown = copies(nHeads);
    const passed = pass.at(common, shown);
    if (passed !== shown) base = passed;
  }
  const input = (letter: 'q' | 'k' | 'v', heads: number): tf.Tensor3D | undefined => {
    const point: HookName = `blocks.${layer}.hook_${letter}_input`;
    if (!pass.touches(point)) return base;
    const shown = base ?? copies(heads);
    const passed = pass.at(point, shown);
    return passed !== shown ? passed : base;
  };
  const inputs = { Q: input('q', nHeads), K: input('k', nKvHeads), V: input('v', nKvHeads) };
  if (inputs.Q ?? inputs.K ?? inputs.V) refuseNormEdits(pass, layer);
  return inputs;
}

/**
 * An input of its own (per head, or of the MLP where it shares attention's norm) has its own norm, which
 * ln1's points do not show: changing both would lose one change.
 */
export function refuseNormEdits(pass: Pass, layer: number): void {
  for (const part of ['scale', 'normalized', 'out'] as const) {
    const name: HookName = `blocks.${layer}.ln1.hook_${part}`;
    if (!pass.plan.edits.has(name) && !pass.plan.probes.has(name)) continue;
    throw new SafeInferError(
      `'${name}' is changed together with inputs that have a norm of their own`,
      {
        code: 'BAD_ARGUMENT',
        hint: 'edit or differentiate either those inputs or the shared norm in one pass',
      },
    );
  }
}

/** Queries, keys or values [N, heads, e] from a residual stream per head [N, heads, D]. */
export function projectPerHead(options: {
  readonly pass: Pass;
  readonly layer: number;
  readonly letter: 'Q' | 'K' | 'V';
  readonly x: tf.Tensor3D;
}): tf.Tensor3D {
  const { pass, layer, letter, x } = options;
  const { dHead, dModel, block } = pass.config;
  const [tokens, heads] = x.shape;
  const normed = block.preNorm ? norm(x, pass.normParts(`blocks.${layer}.ln1`)) : x;
  const byHead = tf.transpose(normed, [1, 0, 2]) as tf.Tensor3D; // [heads, N, D]
  const w = pass.weight<tf.Tensor2D>(`blocks.${layer}.attn.W_${letter}`);
  const perHead = (matrix: tf.Tensor2D): tf.Tensor3D =>
    tf.transpose(tf.reshape(matrix, [matrix.shape[0], heads, dHead]), [1, 0, 2]);
  let y = tf.matMul(byHead, perHead(w)); // [heads, N, e]
  for (const { A, B, scale } of pass.deltas(`blocks.${layer}.attn.W_${letter}`)) {
    const rank = A.shape[1];
    const inner = tf.matMul(tf.reshape(byHead, [heads * tokens, dModel]), A);
    const scaled = tf.mul(tf.reshape(inner, [heads, tokens, rank]), scale);
    y = tf.add(y, tf.matMul(scaled as tf.Tensor3D, perHead(B)));
  }
  const out = tf.transpose(y, [1, 0, 2]) as tf.Tensor3D;
  const bias = pass.optional<tf.Tensor1D>(`blocks.${layer}.attn.b_${letter}`);
  return bias === undefined ? out : tf.add(out, tf.reshape(bias, [1, heads, dHead]));
}
