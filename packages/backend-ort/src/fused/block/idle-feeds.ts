// What a block's graph is fed where there is nothing: no rows, no keys.
import { type OrtValue, ortValue } from '../../native/binding.ts';
import { PRODUCTS, productShape } from './block-graph.ts';
import { type BlockPlan, PAST_SLOTS } from './block-plan.ts';

const NOTHING = new Float32Array(0);

/** An int64 vector, the type in which ONNX takes sizes and shapes. */
export function sizes(values: readonly number[]): OrtValue {
  return ortValue('int64', BigInt64Array.from(values.map(BigInt)), [values.length]);
}

/** No rows of fp32, of this shape otherwise. */
export function nothing(shape: readonly number[]): OrtValue {
  return ortValue('float32', NOTHING, shape);
}

/** Every input of `blockGraph`, for a call that asks for one product only: it replaces `alone.{product}`. */
export function idleFeeds(plan: BlockPlan): Record<string, OrtValue> {
  const { width, inner, nHeads, nKvHeads, dHead, gated, biases, rotary } = plan;
  const zeros = (shape: readonly number[]): OrtValue =>
    ortValue('float32', new Float32Array(shape.reduce((a, b) => a * b, 1)), shape);
  const feeds: Record<string, OrtValue> = {
    x: nothing([0, width]),
    rows: sizes([0]),
    'gain.first': zeros([width]),
    'gain.second': zeros([width]),
    bothShape: sizes([0, nHeads + nKvHeads, dHead]),
    queriesShape: sizes([0, 1, nHeads, dHead]),
    keysShape: sizes([0, 1, nKvHeads, dHead]),
    flatShape: sizes([0, nHeads * dHead]),
    upShape: sizes([0, inner]),
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
  for (let slot = 0; slot < PAST_SLOTS; slot++) {
    feeds[`k${slot}`] = nothing([0, nKvHeads, 0, dHead]);
    feeds[`v${slot}`] = nothing([0, nKvHeads, 0, dHead]);
  }
  if (rotary !== undefined) {
    feeds['cos'] = nothing([0, 1, dHead]);
    feeds['sin'] = nothing([0, 1, dHead]);
  }
  if (nHeads !== nKvHeads) {
    feeds['groupedShape'] = sizes([0, nKvHeads, nHeads / nKvHeads, dHead]);
    feeds['apartShape'] = sizes([0, nKvHeads, 1, dHead]);
    feeds['ungroupedShape'] = sizes([0, nHeads, 1, dHead]);
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
  if (biases.up) for (let i = 0; i < (gated ? 2 : 1); i++) feeds[`bias.up${i}`] = zeros([inner]);
  return feeds;
}
