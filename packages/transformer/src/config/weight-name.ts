// Canonical names of a model's weights: the same for every family, all matrices [in, out].

/** `h`, `kv`: heads, key/value heads; `e`: head width; `D`: model width; `m`: MLP width; `V`: vocabulary. */
export type BlockWeight =
  | `${'ln1' | 'ln2' | 'ln1_post' | 'ln2_post'}.${'w' | 'b'}` // [D]
  | 'attn.W_Q' // [D, h*e]
  | 'attn.W_K' // [D, kv*e]
  | 'attn.W_V' // [D, kv*e]
  | 'attn.W_O' // [h*e, D]
  | 'attn.b_Q' // [h*e]
  | 'attn.b_K' // [kv*e]
  | 'attn.b_V' // [kv*e]
  | 'attn.b_O' // [D]
  | `attn.${'q_norm' | 'k_norm'}.${'w' | 'b'}` // [e], or [h*e] / [kv*e] when the norm spans all heads (OLMo-2)
  | 'mlp.W_gate' // [D, m], gated MLPs only
  | 'mlp.W_in' // [D, m], the up branch in gated MLPs
  | 'mlp.W_out' // [m, D]
  | 'mlp.b_gate' // [m]
  | 'mlp.b_in' // [m]
  | 'mlp.b_out'; // [D]

export type GlobalWeight =
  | 'embed.W_E' // [V, D]
  | 'pos_embed.W_pos' // [P, D]
  | 'ln_final.w' // [D]
  | 'ln_final.b' // [D]
  | 'unembed.W_U' // [D, V], absent when embeddings are tied
  | 'unembed.b_U'; // [V]

export type WeightName = GlobalWeight | `blocks.${number}.${BlockWeight}`;
