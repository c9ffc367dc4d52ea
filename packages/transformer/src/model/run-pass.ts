// Runs a planned pass through the layers, each inside its own tidy.
import { throwIfAborted } from '@safeinfer/backend';
import * as tf from '@tensorflow/tfjs-core';
import { type AttentionState, attentionHalf } from './attention-half.ts';
import { embed, output } from './input-output.ts';
import { mlpHalf } from './mlp-half.ts';
import type { Pass } from './pass.ts';
import { wholeBlock } from './whole-block.ts';

/**
 * Computes what the plan asks for, in an enclosing tidy. Returns logits ([S, V] or [N, V]) when asked for;
 * captures and cache updates are left in `pass`.
 */
export function runPass(
  pass: Pass,
  options: { readonly startAtLayer: number; readonly signal: AbortSignal | undefined },
): tf.Tensor2D | undefined {
  const { config, plan } = pass;
  const { startAtLayer, signal } = options;
  if (plan.lastStep < 0) return undefined;
  let x = startAtLayer === 0 ? pass.scoped(() => embed(pass)) : startingResidual(pass);
  for (let layer = startAtLayer; layer < config.nLayers; layer++) {
    throwIfAborted(signal);
    const step = 1 + 2 * layer;
    if (plan.lastStep < step) return undefined;
    x = replaced(pass, { x }, pass.diverge(step, { x })).x;
    const input = x;
    x = pass.scoped(() => pass.at(`blocks.${layer}.hook_resid_pre`, input));
    release(pass, [input], [x]);
    const entered = x;
    const { whole } = pass.scoped(() => ({ whole: wholeBlock(pass, layer, entered) }));
    if (whole !== undefined) {
      release(pass, [entered], [whole]);
      x = whole;
      continue;
    }
    let state = pass.scoped((): AttentionState => attentionHalf(pass, layer, entered));
    release(pass, [entered], Object.values(state));
    if (plan.lastStep < step + 1) return undefined;
    state = replaced(pass, state, pass.diverge(step + 1, state));
    x = pass.scoped(() => mlpHalf(pass, layer, state));
    release(pass, Object.values(state), [x]);
  }
  const step = 1 + 2 * config.nLayers;
  if (plan.lastStep < step) return undefined;
  const last = pass.diverge(step, { x }).x;
  return pass.scoped(() => ({ logits: output(pass, last) })).logits;
}

/** The rows' own residuals, stream after stream. */
function startingResidual(pass: Pass): tf.Tensor2D {
  return tf.tidy(() => {
    const parts = pass.layout.streams.map(
      ({ rows }) => pass.rows[rows[0] as number]?.residual as tf.Tensor2D,
    );
    return parts.length === 1 ? (parts[0] as tf.Tensor2D).clone() : tf.concat(parts, 0);
  });
}

/** `after`, with tensors of `before` that it no longer holds disposed. */
function replaced<T extends Record<string, tf.Tensor | undefined>>(
  pass: Pass,
  before: T,
  after: T,
): T {
  if (after !== before) release(pass, Object.values(before), Object.values(after));
  return after;
}

/** Disposes tensors that are not needed any more, unless a tape still reads them. */
function release(
  pass: Pass,
  old: readonly (tf.Tensor | undefined)[],
  needed: readonly (tf.Tensor | undefined)[],
): void {
  if (pass.taped) return;
  for (const tensor of old) {
    if (tensor !== undefined && !needed.includes(tensor) && !tensor.isDisposed) tensor.dispose();
  }
}
