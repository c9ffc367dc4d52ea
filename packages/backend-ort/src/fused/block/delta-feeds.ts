// Low-rank changes of queries, keys and values, which a block's graph adds to its own.
import type { FusedDeltaScales, FusedKernels } from '@safeinfer/backend';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { KernelCall } from '../../kernels/kernel.ts';
import { type OrtValue, ortValue } from '../../native/binding.ts';
import { putBeside } from '../../weights/side-by-side.ts';
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
  const both = new Float32Array(tokens * (nHeads + nKvHeads) * dHead);
  putBeside({
    values: [deltas['wQ']!, deltas['wK']!],
    columns: [nHeads * dHead, nKvHeads * dHead],
    ...{ first: 0, count: tokens, out: both },
  });
  return {
    'delta.QK': ortValue('float32', both, [tokens, nHeads + nKvHeads, dHead]),
    'delta.V': ortValue('float32', deltas['wV']!, [streams, tokens / streams, nKvHeads, dHead]),
  };
}
