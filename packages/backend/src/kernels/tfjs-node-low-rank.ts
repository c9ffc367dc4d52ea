// Low-rank changes of products on tfjs-node.
import * as tf from '@tensorflow/tfjs-core';
import type { FusedDeltaScales } from '../fused-kernels.ts';
import type { NodeKernel, NodeKernelCall } from './tfjs-node-binding.ts';

/** `y`, a product of `x` with `weight`, with the deltas that the call has for it; `y` itself where there are none. */
export function withDeltas(
  { inputs, attrs }: NodeKernelCall,
  weight: string,
  { x, y }: { readonly x: tf.Tensor; readonly y: tf.Tensor },
): tf.Tensor {
  const scales = (attrs['deltas'] as FusedDeltaScales | undefined)?.[weight] ?? [];
  let changed = y;
  for (const [i, scale] of scales.entries()) {
    const factor = scale ?? inputs[`${weight}.scale${i}`]!;
    const inner = tf.mul(tf.matMul(x, inputs[`${weight}.A${i}`]!), factor);
    changed = tf.add(changed, tf.matMul(inner, inputs[`${weight}.B${i}`]!));
  }
  return changed;
}

export const nodeAddLowRank: NodeKernel = (call) =>
  tf.tidy(() => {
    const { x, y } = call.inputs as { x: tf.Tensor; y: tf.Tensor };
    return withDeltas(call, 'w', { x, y });
  });
