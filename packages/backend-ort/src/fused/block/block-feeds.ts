// What a call of SafeInferBlock feeds to the block's graph; the rest is idle.
import type { FusedKernels } from '@safeinfer/backend';
import type { KernelCall } from '../../kernels/kernel.ts';
import { type OrtValue, ortValue } from '../../native/binding.ts';
import { type BlockPlan, PAST_SLOTS } from './block-plan.ts';
import { shapeFeeds } from './shape-feeds.ts';

export function blockFeeds(call: KernelCall, plan: BlockPlan): Record<string, OrtValue> {
  const { inputs, backend } = call;
  const { streams, past } = call.attrs as unknown as FusedKernels['SafeInferBlock']['attrs'];
  const { nHeads, nKvHeads, dHead, width, inner, gated, biases } = plan;
  const tokens = inputs['x']!.shape[0]!;
  const length = tokens / streams;
  // As in the attention kernel: a mask differs by query, not by head of a group of queries that share a key head.
  const mask = inputs['mask'];
  const apart = mask !== undefined && nHeads > nKvHeads && length > 1;
  const axis = apart ? [1] : [];
  const feeds: Record<string, OrtValue> = { ...shapeFeeds(plan, { streams, length, apart }) };
  const feed = (name: string, input: string, shape: readonly number[]): void => {
    feeds[name] = ortValue('float32', backend.floats(inputs[input]!), shape);
  };
  feed('x', 'x', [tokens, width]);
  feed('gain.first', 'gain', [width]);
  feed('gain.second', 'gain2', [width]);
  if (plan.rotary !== undefined) {
    feed('cos', 'cos', [tokens, 1, dHead]);
    feed('sin', 'sin', [tokens, 1, dHead]);
  }
  if (biases.norm) {
    feed('bias.first', 'bias', [width]);
    feed('bias.second', 'bias2', [width]);
  }
  if (biases.heads) {
    feed('bias.Q', 'bQ', [nHeads, dHead]);
    feed('bias.K', 'bK', [nKvHeads, dHead]);
    feed('bias.V', 'bV', [nKvHeads, dHead]);
  }
  if (biases.output) feed('bias.output', 'bO', [width]);
  if (biases.up) {
    if (gated) feed('bias.up0', 'bGate', [inner]);
    feed(gated ? 'bias.up1' : 'bias.up0', 'bIn', [inner]);
  }
  if (biases.down) feed('bias.down', 'bOut', [width]);

  const lengths = new BigInt64Array(PAST_SLOTS + 1);
  for (let slot = 0; slot < past; slot++) {
    const count = inputs[`k${slot}`]!.shape[2]!;
    lengths[slot] = BigInt(count);
    const shape = [streams, nKvHeads, ...axis, count, dHead];
    feed(`k${slot}`, `k${slot}`, shape);
    feed(`v${slot}`, `v${slot}`, shape);
  }
  lengths[PAST_SLOTS] = BigInt(length);
  feeds['lengths'] = ortValue('int64', lengths, [PAST_SLOTS + 1]);
  if (mask !== undefined) {
    feed('mask', 'mask', [mask.shape[0]!, 1, ...axis, length, mask.shape[3]!]);
  }
  return feeds;
}
