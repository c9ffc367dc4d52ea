// When the weights of a block move into one session.
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { KernelCall } from '../../kernels/kernel.ts';
import type { TensorRecord } from '../../storage/tensor-record.ts';
import { dropArray } from '../../weights/collect-garbage.ts';
import { JoinedWeight } from '../../weights/joined-weights.ts';
import { mayJoin } from '../../weights/promotion.ts';
import { PRODUCTS, type ProductName } from './block-graph.ts';
import { planKey, planOf } from './block-plan.ts';
import { type BlockValues, BlockWeights } from './block-weights.ts';

/** The block that a session's weights make up. */
const blocks = new WeakMap<object, BlockWeights>();
/** First weights of blocks that could not be joined (NaN, no room for the file): not tried again. */
const unjoinable = new WeakSet<TensorRecord>();

/** The session that holds the call's weights, made now if each has earned its packing; else undefined. */
export function blockFor(call: KernelCall): BlockWeights | undefined {
  const { inputs, backend } = call;
  const weights = weightsOf(inputs);
  const all = PRODUCTS.flatMap((name) => weights[name]);
  const records = all.map(({ dataId }) => backend.record(dataId));
  const first = records[0]!.packed;
  if (first instanceof JoinedWeight) {
    const block = blocks.get(first.group.session);
    if (block !== undefined) {
      const members = PRODUCTS.flatMap((name) => block.products[name].members);
      const whole = !block.broken && members.every((member, i) => member === records[i]!.packed);
      if (!whole) return undefined;
      const plan = planOf(call);
      return plan !== undefined && planKey(plan) === block.key ? block : undefined;
    }
  }
  if (backend.weights !== 'float32' || unjoinable.has(records[0]!)) return undefined;
  if (new Set(records).size < records.length) return undefined;
  const rows = inputs['x']!.shape[0]!;
  const ready = (record: TensorRecord, i: number): boolean =>
    joinedWithin(record, records) || mayJoin(record, all[i]!, rows);
  if (!records.every(ready)) return undefined;
  const plan = planOf(call);
  if (plan === undefined) return undefined;
  const values = Object.fromEntries(
    PRODUCTS.map((name) => [
      name,
      weights[name].map(({ dataId }) => backend.record(dataId).readBack() as Float32Array),
    ]),
  ) as unknown as BlockValues;
  const block = BlockWeights.join({ plan, values, threads: backend.threads });
  if (block === undefined) {
    unjoinable.add(records[0]!);
    return undefined;
  }
  blocks.set(block.products.heads.session, block);
  const members = PRODUCTS.flatMap((name) => block.products[name].members);
  records.forEach((record, i) => {
    record.pack(members[i]!);
    // The array of the weight and its places beside the others of its product and of the block.
    dropArray(3 * 4 * all[i]!.shape[0]! * all[i]!.shape[1]!);
  });
  return block;
}

/** True for a weight joined with others of `records` only: nobody else loses a session. */
function joinedWithin({ packed }: TensorRecord, records: readonly TensorRecord[]): boolean {
  if (!(packed instanceof JoinedWeight) || packed.unsettled) return false;
  const { members, session } = packed.group;
  return !blocks.has(session) && members.every((own) => records.some((r) => r.packed === own));
}

function weightsOf(inputs: KernelCall['inputs']): Record<ProductName, TensorInfo[]> {
  const gate = inputs['wGate'];
  return {
    heads: [inputs['wQ']!, inputs['wK']!, inputs['wV']!],
    output: [inputs['wO']!],
    up: gate === undefined ? [inputs['wIn']!] : [gate, inputs['wIn']!],
    down: [inputs['wOut']!],
  };
}
