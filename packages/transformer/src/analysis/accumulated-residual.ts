// The residual stream as it grows, layer by layer.
import { SafeInferError } from '@safeinfer/backend';
import * as tf from '@tensorflow/tfjs-core';
import type { CapturedRow } from './captured-row.ts';
import { type ComponentStack, componentStack } from './component-stack.ts';

/** A layer to stop before: 0 is the embedding alone, nLayers (default) the final residual stream. */
export function checkedLayer({ model }: CapturedRow, layer: number | undefined): number {
  const { nLayers } = model.config;
  const chosen = layer ?? nLayers;
  if (Number.isInteger(chosen) && chosen >= 0 && chosen <= nLayers) return chosen;
  throw new SafeInferError(`layer ${chosen} is not one of 0 to ${nLayers}`, {
    code: 'BAD_ARGUMENT',
    hint: 'layer l stands for the residual stream that block l reads; nLayers for the final one',
  });
}

/** Residual stream that block `layer` reads, or the final one. A view owned by the result. */
export function residualBefore(
  { model, result, row = 0 }: CapturedRow,
  layer: number,
): tf.Tensor2D {
  const { nLayers } = model.config;
  const name =
    layer === nLayers
      ? (`blocks.${nLayers - 1}.hook_resid_post` as const)
      : (`blocks.${layer}.hook_resid_pre` as const);
  return result.captured(row, name) as tf.Tensor2D;
}

/**
 * Residual streams before each block up to `layer`, and with `mid` also after each attention (sequential
 * blocks only): labels `0_pre, 0_mid, 1_pre, ..., final_post`. Shape [components, p, D].
 * Throws `BAD_ARGUMENT`, or `UNKNOWN_HOOK` when the pass did not capture `analysisPoints(model)`.
 */
export function accumulatedResidual(
  options: CapturedRow & { readonly layer?: number; readonly mid?: boolean },
): ComponentStack {
  const { model, result, row = 0, mid = false } = options;
  const { nLayers, block } = model.config;
  const layer = checkedLayer(options, options.layer);
  const labels: string[] = [];
  const parts: tf.Tensor2D[] = [];
  for (let l = 0; l <= layer; l++) {
    labels.push(l === nLayers ? 'final_post' : `${l}_pre`);
    parts.push(residualBefore(options, l));
    if (!mid || l === layer || block.layout === 'parallel') continue;
    labels.push(`${l}_mid`);
    parts.push(result.captured(row, `blocks.${l}.hook_resid_mid`) as tf.Tensor2D);
  }
  return componentStack(labels, tf.stack(parts) as tf.Tensor3D);
}
