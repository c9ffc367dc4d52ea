// A whole block in one native call, where its weights lie in one session.
import type { FusedKernels } from '@safeinfer/backend';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Kernel } from '../../kernels/kernel.ts';
import { type OrtValue, ortValue } from '../../native/binding.ts';
import { blockFeeds } from './block-feeds.ts';
import { PAST_SLOTS } from './block-plan.ts';
import { blockFor } from './block-promotion.ts';
import { deltaFeeds } from './delta-feeds.ts';

/** Declines with an empty list: the caller then computes the block by halves, to the same bits. */
export const wholeBlock: Kernel = (call) => {
  const { backend } = call;
  const given = call.attrs as unknown as FusedKernels['SafeInferBlock']['attrs'];
  // The weights are packed in any case: halves round as they lie.
  const block = blockFor(call);
  if (block === undefined || given.streams === 0 || given.past > PAST_SLOTS) return [];
  const deltas = deltaFeeds(call, block.plan);
  if (deltas === undefined) return [];
  const { nKvHeads, dHead, width } = block.plan;
  const tokens = call.inputs['x']!.shape[0]!;
  const shapes: Record<string, readonly number[]> = { y: [tokens, width] };
  if (given.mid) shapes['mid'] = [tokens, width];
  if (given.keys) {
    const keys = [given.streams, nKvHeads, tokens / given.streams, dHead];
    shapes['keys'] = keys;
    shapes['values'] = keys;
  }
  const fetches: Record<string, OrtValue> = {};
  const made = Object.entries(shapes).map(([name, shape]): TensorInfo => {
    const out = backend.output(shape);
    fetches[name] = ortValue('float32', out.values, shape);
    return out.info;
  });
  block.run({ ...blockFeeds(call, block.plan), ...deltas }, fetches);
  return made;
};
