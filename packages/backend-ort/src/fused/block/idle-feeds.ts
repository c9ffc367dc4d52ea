// What a block's graph is fed where there is nothing: no rows, no keys.
import { type OrtValue, ortValue } from '../../native/binding.ts';
import { PRODUCTS, productShape } from './block-graph.ts';
import { type BlockPlan, PAST_SLOTS } from './block-plan.ts';
import { nothing, shapeFeeds, sizes } from './shape-feeds.ts';

/** Every input of `blockGraph`, for a call that asks for one product only: it replaces `alone.{product}`. */
export function idleFeeds(plan: BlockPlan): Record<string, OrtValue> {
  const { width, inner, nHeads, nKvHeads, dHead, biases, rotary } = plan;
  const zeros = (shape: readonly number[]): OrtValue =>
    ortValue('float32', new Float32Array(shape.reduce((a, b) => a * b, 1)), shape);
  const feeds: Record<string, OrtValue> = {
    ...shapeFeeds(plan, { streams: 0, length: 1, apart: false }),
    x: nothing([0, width]),
    'gain.first': zeros([width]),
    'gain.second': zeros([width]),
    lengths: sizes([...new Array<number>(PAST_SLOTS).fill(0), 1]),
    mask: zeros([1]),
    'delta.QK': zeros([1]),
    'delta.V': zeros([1]),
  };
  for (const name of PRODUCTS) {
    const shape = productShape(plan, name);
    feeds[`alone.${name}`] = nothing([0, shape.inner]);
    if (name === 'heads' || name === 'up') {
      const parts = name === 'heads' ? 2 : shape.columns.length;
      feeds[`sizes.${name}`] = sizes([...new Array<number>(parts).fill(0), ...shape.columns]);
    }
  }
  if (rotary !== undefined) {
    feeds['cos'] = nothing([0, 1, dHead]);
    feeds['sin'] = nothing([0, 1, dHead]);
  }
  if (biases.norm) {
    feeds['bias.first'] = zeros([width]);
    feeds['bias.second'] = zeros([width]);
  }
  if (biases.heads) {
    feeds['bias.Q'] = zeros([nHeads, dHead]);
    feeds['bias.K'] = zeros([nKvHeads, dHead]);
    feeds['bias.V'] = zeros([nKvHeads, dHead]);
  }
  if (biases.output) feeds['bias.output'] = zeros([width]);
  if (biases.down) feeds['bias.down'] = zeros([width]);
  if (biases.up) {
    productShape(plan, 'up').columns.forEach((_, i) => {
      feeds[`bias.up${i}`] = zeros([inner]);
    });
  }
  return feeds;
}
