// Names of every readable and editable activation, exactly as TransformerLens spells them, as types.
import type { Tensor2D, Tensor3D } from '@tensorflow/tfjs-core';

/** Points inside a block. `b` rows, `p` positions, `h`/`kv` heads, `e` head width, `D` model width, `m` MLP width. */
export type BlockPoint =
  | 'hook_resid_pre' // [b, p, D] input of the block
  | 'hook_resid_mid' // [b, p, D] after attention; absent in parallel blocks
  | 'hook_resid_post' // [b, p, D] output of the block
  | 'hook_attn_out' // [b, p, D] what attention adds to the residual stream (after a post-norm)
  | 'hook_attn_out_raw' // [b, p, D] the attention module's own output; differs in post-norm blocks only
  | 'hook_mlp_out' // [b, p, D] what the MLP adds to the residual stream (after a post-norm)
  | 'hook_mlp_out_raw' // [b, p, D] the MLP module's own output; differs in post-norm blocks only
  | 'hook_mlp_in' // [b, p, D] residual stream the MLP reads, before its norm
  | 'hook_attn_in' // [b, p, h, D] residual stream each head reads, before the norm, one copy a head
  | 'hook_q_input' // [b, p, h, D]
  | 'hook_k_input' // [b, p, kv, D]
  | 'hook_v_input' // [b, p, kv, D]
  | `${NormPoint}.hook_scale` // [b, p, 1] the denominator
  | `${NormPoint}.hook_normalized` // [b, p, D] before gain and bias
  | `${NormPoint}.hook_out` // [b, p, D] after gain and bias: what the module really reads
  | 'attn.hook_q' // [b, p, h, e] after bias, before q-norm and rotary
  | 'attn.hook_k' // [b, p, kv, e]
  | 'attn.hook_v' // [b, p, kv, e]
  | `attn.${'q_norm' | 'k_norm'}.hook_${'scale' | 'normalized' | 'out'}`
  | 'attn.hook_rot_q' // [b, p, h, e] rotary models
  | 'attn.hook_rot_k' // [b, p, kv, e]
  | 'attn.hook_attn_scores' // [b, h, q, k] scaled and masked, before softmax
  | 'attn.hook_pattern' // [b, h, q, k] after softmax
  | 'attn.hook_z' // [b, p, h, e] pattern . v: the input of o_proj
  | 'attn.hook_result' // [b, p, h, D] per-head output, without the output bias
  | 'mlp.hook_pre' // [b, p, m] the gate branch in gated MLPs
  | 'mlp.hook_pre_linear' // [b, p, m] gated MLPs: the up branch
  | 'mlp.hook_post'; // [b, p, m] what the down projection reads

export type NormPoint = 'ln1' | 'ln2' | 'ln1_post' | 'ln2_post';

export type GlobalPoint =
  | 'hook_embed' // [b, p, D]
  | 'hook_pos_embed' // [b, p, D] learned positions only
  | 'ln_final.hook_scale'
  | 'ln_final.hook_normalized'
  | 'ln_final.hook_out'
  | 'unembed.hook_in' // [b, p, D]
  | 'unembed.hook_out'; // [b, p, V] logits

export type HookName = `blocks.${number}.${BlockPoint}` | GlobalPoint;

/** What `captured` gives for one row of a point: its batch axis is dropped. */
export type CapturedTensor<N extends string> = N extends string
  ? RankOf<N> extends 4
    ? Tensor3D
    : Tensor2D
  : never;

/** 4 for per-head and attention-matrix points, 3 for the others. */
export type RankOf<N extends string> = N extends
  | `${string}attn.hook_${'q' | 'k' | 'v' | 'rot_q' | 'rot_k' | 'attn_scores' | 'pattern' | 'z' | 'result'}`
  | `${string}hook_${'attn_in' | 'q_input' | 'k_input' | 'v_input'}`
  | `${string}attn.${'q_norm' | 'k_norm'}.${string}`
  ? 4
  : 3;
