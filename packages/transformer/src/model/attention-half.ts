// First half of a block: norm, attention, and what it adds to the residual stream.
import * as tf from '@tensorflow/tfjs-core';
import type { BlockPoint, HookName } from '../hooks/hook-name.ts';
import { attention, attentionScores, attentionValues } from '../ops/attention.ts';
import { linear } from '../ops/linear.ts';
import { rope } from '../ops/rope.ts';
import { keyColumns, keyPositions } from './cached-keys.ts';
import { fusedOutput, fusedProjections } from './fused-halves.ts';
import { headNormAt, normAt } from './norm-at.ts';
import { maskFor, pack, slotPositions, unpack } from './packing.ts';
import type { Pass } from './pass.ts';
import { ropeTensors } from './rope-tensors.ts';
import { projectPerHead, splitInputs } from './split-inputs.ts';
import { trainedAttentionAt } from './trained-halves.ts';

/** What the second half reads. */
export interface AttentionState extends Record<string, tf.Tensor2D | undefined> {
  /** Residual stream [N, D]: after attention in sequential blocks, the block's input in parallel ones. */
  readonly x: tf.Tensor2D;
  /** Parallel blocks: attention's contribution, added at the end. */
  readonly attn: tf.Tensor2D | undefined;
  /** Parallel blocks with one norm: its output. */
  readonly normed: tf.Tensor2D | undefined;
}

/** Runs attention of block `layer` on its residual stream `x` [N, D]; takes and extends the rows' caches. */
export function attentionHalf(pass: Pass, layer: number, x: tf.Tensor2D): AttentionState {
  const { config } = pass;
  const name = (point: BlockPoint): HookName => `blocks.${layer}.${point}`;
  const trained = trainedAttentionAt(pass, layer, x);
  if (trained !== undefined) {
    return { x: pass.at(name('hook_resid_mid'), trained), attn: undefined, normed: undefined };
  }
  const projected = fusedProjections(pass, layer, x);
  if (projected !== undefined) {
    const z = pass.at(name('attn.hook_z'), attend({ pass, layer, ...projected, scaled: true }));
    const flat: tf.Tensor2D = tf.reshape(z, [pass.layout.tokens, config.nHeads * config.dHead]);
    const after = fusedOutput(pass, layer, { x, z: flat });
    if (after !== undefined) {
      return { x: pass.at(name('hook_resid_mid'), after), attn: undefined, normed: undefined };
    }
    return afterAttention({ pass, layer, x, z, normed: undefined });
  }
  const normed = config.block.preNorm ? normAt(pass, `blocks.${layer}.ln1`, x) : x;

  const inputs = splitInputs(pass, layer, x);
  const project = (letter: 'Q' | 'K' | 'V', heads: number): tf.Tensor3D => {
    const own = inputs[letter];
    if (own !== undefined) return projectPerHead({ pass, layer, letter, x: own });
    const y = linear({
      x: normed,
      w: pass.weight(`blocks.${layer}.attn.W_${letter}`),
      bias: pass.optional(`blocks.${layer}.attn.b_${letter}`),
      deltas: pass.deltas(`blocks.${layer}.attn.W_${letter}`),
    });
    return tf.reshape(y, [pass.layout.tokens, heads, config.dHead]);
  };
  let q = pass.at(name('attn.hook_q'), project('Q', config.nHeads));
  let k = pass.at(name('attn.hook_k'), project('K', config.nKvHeads));
  const v = pass.at(name('attn.hook_v'), project('V', config.nKvHeads));
  if (config.attention.qkNorm !== 'none') {
    q = headNormAt(pass, `blocks.${layer}.attn.q_norm`, q);
    k = headNormAt(pass, `blocks.${layer}.attn.k_norm`, k);
  }
  const rotary = config.layers[layer]?.rotary ?? null;
  if (rotary !== null) {
    const tables = ropeTensors(pass, rotary);
    q = pass.at(name('attn.hook_rot_q'), rope(q, tables));
    k = pass.at(name('attn.hook_rot_k'), rope(k, tables));
  }
  const z = pass.at(name('attn.hook_z'), attend({ pass, layer, q, k, v, scaled: false }));
  return afterAttention({ pass, layer, x, z, normed });
}

/** Output projection, norm and residual. */
function afterAttention(options: {
  readonly pass: Pass;
  readonly layer: number;
  readonly x: tf.Tensor2D;
  readonly z: tf.Tensor3D;
  readonly normed: tf.Tensor2D | undefined;
}): AttentionState {
  const { pass, layer, x, z, normed } = options;
  const { config } = pass;
  const name = (point: BlockPoint): HookName => `blocks.${layer}.${point}`;
  const raw = pass.at(name('hook_attn_out_raw'), outputOf(pass, layer, z));
  const contribution = config.block.postNorm ? normAt(pass, `blocks.${layer}.ln1_post`, raw) : raw;
  const attn = pass.at(name('hook_attn_out'), contribution);
  if (config.block.layout === 'sequential') {
    const mid = pass.at(name('hook_resid_mid'), tf.add<tf.Tensor2D>(x, attn));
    return { x: mid, attn: undefined, normed: undefined };
  }
  return { x, attn, normed: config.block.sharedNorm ? normed : undefined };
}

/** Attention proper: z [N, h, e] from q [N, h, e] and new k, v [N, kv, e], with cached keys before them. */
function attend(options: {
  readonly pass: Pass;
  readonly layer: number;
  readonly q: tf.Tensor3D;
  readonly k: tf.Tensor3D;
  readonly v: tf.Tensor3D;
  /** True when q carries the attention scale already. */
  readonly scaled: boolean;
}): tf.Tensor3D {
  const { pass, layer, q, k, v } = options;
  const { attention: settings } = pass.config;
  const scaled = pack(pass, options.scaled ? q : tf.mul(q, settings.scale[layer] ?? 1));
  const columns = keyColumns(pass, layer, { k: pack(pass, k), v: pack(pass, v) });
  const positions = keyPositions(pass, columns);
  const mask = maskFor(pass, positions, layer);
  const inputs = { q: scaled, blocks: columns, mask, softcap: settings.softcap };
  const scoresName: HookName = `blocks.${layer}.attn.hook_attn_scores`;
  const patternName: HookName = `blocks.${layer}.attn.hook_pattern`;
  const causal = pass.side === 'right';
  if (!pass.touches(scoresName) && !pass.touches(patternName)) {
    return unpack(pass, attention(inputs, causal));
  }
  const frame = { queries: slotPositions(pass), keys: positions };
  const scores = attentionScores(inputs);
  const passedScores = pass.at(scoresName, scores, frame);
  const pattern = tf.softmax(passedScores);
  const passedPattern = pass.at(patternName, pattern, frame);
  // A hook that only looks must not move a bit: computation goes on as if nobody had looked.
  const changed = passedScores !== scores || passedPattern !== pattern;
  return unpack(
    pass,
    changed ? attentionValues(passedPattern, columns) : attention(inputs, causal),
  );
}

/** The output projection, through the per-head results when somebody changes them. */
function outputOf(pass: Pass, layer: number, z: tf.Tensor3D): tf.Tensor2D {
  const { nHeads, dHead, dModel } = pass.config;
  const { tokens } = pass.layout;
  const w = pass.weight<tf.Tensor2D>(`blocks.${layer}.attn.W_O`);
  const bias = pass.optional<tf.Tensor1D>(`blocks.${layer}.attn.b_O`);
  const deltas = pass.deltas(`blocks.${layer}.attn.W_O`);
  const flat: tf.Tensor2D = tf.reshape(z, [tokens, nHeads * dHead]);
  const point: HookName = `blocks.${layer}.attn.hook_result`;
  if (pass.touches(point)) {
    const byHead = tf.transpose(z, [1, 0, 2]); // [h, N, e]
    let result = tf.matMul(byHead, tf.reshape(w, [nHeads, dHead, dModel]));
    for (const { A, B, scale } of deltas) {
      const rank = A.shape[1];
      const inner = tf.mul(tf.matMul(byHead, tf.reshape(A, [nHeads, dHead, rank])), scale);
      const wide = tf.matMul(tf.reshape(inner, [nHeads * tokens, rank]), B);
      result = tf.add(result, tf.reshape(wide, [nHeads, tokens, dModel]));
    }
    const shown = tf.transpose(result, [1, 0, 2]) as tf.Tensor3D; // [N, h, D]
    const passed = pass.at(point, shown);
    if (passed !== shown) {
      const total = tf.sum(passed, 1) as tf.Tensor2D;
      return bias === undefined ? total : tf.add(total, bias);
    }
  }
  return linear({ x: flat, w, bias, deltas });
}
