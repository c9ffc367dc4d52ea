// What a call of SafeInferBlock feeds to the block's graph; the rest is idle.
import type { FusedKernels } from '@safeinfer/backend';
import type { KernelCall } from '../../kernels/kernel.ts';
import { type OrtValue, ortValue } from '../../native/binding.ts';
import { type BlockPlan, PAST_SLOTS } from './block-plan.ts';
import { nothing, sizes } from './idle-feeds.ts';

export function blockFeeds(call: KernelCall, plan: BlockPlan): Record<string, OrtValue> {
  const { inputs, backend } = call;
  const { streams, past } = call.attrs as unknown as FusedKernels['SafeInferBlock']['attrs'];
  const { nHeads, nKvHeads, dHead, width, inner, gated, biases } = plan;
  const tokens = inputs['x']!.shape[0]!;
  const length = tokens / streams;
  const feeds: Record<string, OrtValue> = {};
  const feed = (name: string, input: string, shape: readonly number[]): void => {
    feeds[name] = ortValue('float32', backend.floats(inputs[input]!), shape);
  };
  feed('x', 'x', [tokens, width]);
  feed('gain.first', 'gain', [width]);
  feed('gain.second', 'gain2', [width]);
  feeds['rows'] = sizes([tokens]);
  feeds['bothShape'] = sizes([tokens, nHeads + nKvHeads, dHead]);
  feeds['queriesShape'] = sizes([streams, length, nHeads, dHead]);
  feeds['keysShape'] = sizes([streams, length, nKvHeads, dHead]);
  feeds['flatShape'] = sizes([tokens, nHeads * dHead]);
  feeds['upShape'] = sizes([tokens, inner]);
  feeds['sizes.heads'] = sizes([(nHeads + nKvHeads) * dHead, nKvHeads * dHead, 0, 0, 0]);
  feeds['sizes.up'] = sizes(gated ? [inner, inner, 0, 0] : [inner, 0]);
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

  // As in the attention kernel: a mask differs by query, not by head of a group of queries that share a key head.
  const group = nHeads / nKvHeads;
  const mask = inputs['mask'];
  const apart = mask !== undefined && group > 1 && length > 1 ? [1] : [];
  const lengths: number[] = [];
  for (let slot = 0; slot < PAST_SLOTS; slot++) {
    const count = slot < past ? inputs[`k${slot}`]!.shape[2]! : 0;
    lengths.push(count);
    for (const side of ['k', 'v']) {
      const shape = [streams, nKvHeads, ...apart, count, dHead];
      if (slot < past) feed(`${side}${slot}`, `${side}${slot}`, shape);
      else feeds[`${side}${slot}`] = nothing(shape);
    }
  }
  feeds['lengths'] = sizes([...lengths, length]);
  if (mask !== undefined) {
    const keys = mask.shape[3]!;
    feed('mask', 'mask', [mask.shape[0]!, 1, ...apart, length, keys]);
  }
  if (group > 1) {
    const queries = apart.length === 0 ? [group * length] : [group, length];
    feeds['groupedShape'] = sizes([streams, nKvHeads, ...queries, dHead]);
    feeds['apartShape'] = sizes([streams, nKvHeads, ...apart, length, dHead]);
    feeds['ungroupedShape'] = sizes([streams, nHeads, length, dHead]);
  }
  return feeds;
}
