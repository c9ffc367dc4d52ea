// Low-rank changes of queries, keys and values, which a block's graph adds to its own.
import type { FusedDeltaScales, FusedKernels } from '@safeinfer/backend';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { KernelCall } from '../../kernels/kernel.ts';
import { type OrtValue, ortValue } from '../../native/binding.ts';
import { deltasAlone } from '../low-rank.ts';
import { norm } from '../norm.ts';
import type { BlockPlan } from './block-plan.ts';

/** What adapters add to queries, keys and values: the block reads it. Undefined for what it has no input for. */
export function deltaFeeds(
  call: KernelCall,
  plan: BlockPlan,
): Record<string, OrtValue> | undefined {
  const { inputs, attrs, backend } = call;
  const scales = attrs['deltas'] as FusedDeltaScales | undefined;
  if (scales === undefined) return {};
  const weights = ['wQ', 'wK', 'wV'] as const;
  if (!Object.keys(scales).every((name) => (weights as readonly string[]).includes(name))) {
    return undefined;
  }
  const normed = norm(call) as TensorInfo;
  const deltas = deltasAlone(call, normed, weights);
  backend.disposeIntermediateTensorInfo(normed);
  if (deltas === undefined) return undefined;
  const { nHeads, nKvHeads, dHead } = plan;
  const tokens = inputs['x']!.shape[0]!;
  const { streams } = attrs as unknown as FusedKernels['SafeInferBlock']['attrs'];
  return {
    'delta.QK': ortValue('float32', rowsBeside(deltas['wQ']!, deltas['wK']!, tokens), [
      tokens,
      nHeads + nKvHeads,
      dHead,
    ]),
    'delta.V': ortValue('float32', deltas['wV']!, [streams, tokens / streams, nKvHeads, dHead]),
  };
}

/** Rows of `a` and `b` one beside the other. */
function rowsBeside(a: Float32Array, b: Float32Array, rows: number): Float32Array {
  const out = new Float32Array(a.length + b.length);
  const [left, right] = [a.length / rows, b.length / rows];
  for (let row = 0; row < rows; row++) {
    const start = row * (left + right);
    out.set(a.subarray(row * left, (row + 1) * left), start);
    out.set(b.subarray(row * right, (row + 1) * right), start + left);
  }
  return out;
}
