// Low-rank changes of weights that some rows carry: LoRA, or a rank-one edit.
import type { Tensor2D } from '@tensorflow/tfjs-core';
import type { WeightName } from '../config/weight-name.ts';

/** Adds scale * (X A) B to the output of the weight that reads X. */
export interface Delta {
  /** [in, r]; for `embed.W_E` its rows are looked up by token. */
  readonly A: Tensor2D;
  /** [r, out] */
  readonly B: Tensor2D;
  readonly scale: number;
  /** Training only: what A reads in place of X [tokens, in], for dropout. */
  readonly input?: (x: Tensor2D) => Tensor2D;
}

/** A named set of deltas. Which weights take one: every matrix `W_*` of the model but `pos_embed.W_pos`. */
export interface Adapter {
  readonly deltas: ReadonlyMap<WeightName, Delta>;
}
