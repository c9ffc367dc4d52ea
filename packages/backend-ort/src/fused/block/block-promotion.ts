// When the weights of a block move into one session.
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { KernelCall } from '../../kernels/kernel.ts';
import type { TensorRecord } from '../../storage/tensor-record.ts';
import { dropArray } from '../../weights/collect-garbage.ts';
import type { EightBit } from '../../weights/eight-bit.ts';
import { EightBitWeight, rounded } from '../../weights/eight-bit-weight.ts';
import { JoinedWeight } from '../../weights/joined-weights.ts';
import { mayJoin, mayRound } from '../../weights/promotion.ts';
import { PRODUCTS, type ProductName } from './block-graph.ts';
import { type BlockPlan, planOf, samePlan } from './block-plan.ts';
import { BlockWeights, eachProduct } from './block-weights.ts';

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
    if (block !== undefined && !block.broken) {
      const members = PRODUCTS.flatMap((name) => block.products[name].members);
      if (!members.every((member, i) => member === records[i]!.packed)) return undefined;
      const plan = planOf(call);
      return plan !== undefined && samePlan(plan, block.plan) ? block : undefined;
    }
  }
  if (unjoinable.has(records[0]!) || new Set(records).size < records.length) return undefined;
  const rows = inputs['x']!.shape[0]!;
  const eightBit = backend.weights === 'int8';
  const ready = (record: TensorRecord, i: number): boolean =>
    eightBit
      ? mayRound(record, all[i]!)
      : joinedWithin(record, records) || isWeight(record) || mayJoin(record, all[i]!, rows);
  if (!records.every(ready)) return undefined;
  const plan = planOf(call);
  if (plan === undefined) return undefined;
  const block = eightBit ? roundAndJoin(call, plan, weights) : join(call, plan, weights);
  if (block === undefined) {
    unjoinable.add(records[0]!);
    return undefined;
  }
  blocks.set(block.products.heads.session, block);
  const members = PRODUCTS.flatMap((name) => block.products[name].members);
  records.forEach((record, i) => {
    record.packed?.dispose();
    record.pack(members[i]!);
  });
  dropArray(all.reduce((sum, { shape }) => sum + 4 * shape[0]! * shape[1]!, 0));
  return block;
}

type Weights = Readonly<Record<ProductName, readonly TensorInfo[]>>;

function join(
  { backend }: KernelCall,
  plan: BlockPlan,
  weights: Weights,
): BlockWeights | undefined {
  const values = eachProduct((name) =>
    weights[name].map(({ dataId }) => backend.record(dataId).readBack() as Float32Array),
  );
  return BlockWeights.join({ plan, values, threads: backend.threads });
}

function roundAndJoin(
  { backend }: KernelCall,
  plan: BlockPlan,
  weights: Weights,
): BlockWeights | undefined {
  const found = eachProduct((name) =>
    weights[name].map(({ dataId, shape }) => {
      const record = backend.record(dataId);
      if (record.packed instanceof EightBitWeight) return record.packed.weight;
      return rounded({
        values: record.own() as Float32Array,
        shape: shape as [number, number],
        transposed: false,
        sums: backend.rounding,
      });
    }),
  );
  if (PRODUCTS.some((name) => found[name].includes(undefined))) return undefined;
  return BlockWeights.joinEightBit({
    plan,
    weights: found as Record<ProductName, EightBit[]>,
    threads: backend.threads,
  });
}

/**
 * Given by the user for a block: no data matrix, so it need not come back to count as a weight, neither at first nor
 * when another weight of its session has gone.
 */
function isWeight({ packed, poolable, uses }: TensorRecord): boolean {
  if (poolable) return false;
  return packed === undefined ? uses >= 0 : packed instanceof JoinedWeight && packed.unsettled;
}

/** True for a weight joined with others of `records` only: nobody else loses a session. */
function joinedWithin({ packed }: TensorRecord, records: readonly TensorRecord[]): boolean {
  if (!(packed instanceof JoinedWeight) || packed.unsettled) return false;
  const { members, session } = packed.group;
  return !blocks.has(session) && members.every((own) => records.some((r) => r.packed === own));
}

function weightsOf(inputs: KernelCall['inputs']): Weights {
  const gate = inputs['wGate'];
  return {
    heads: [inputs['wQ']!, inputs['wK']!, inputs['wV']!],
    output: [inputs['wO']!],
    up: gate === undefined ? [inputs['wIn']!] : [gate, inputs['wIn']!],
    down: [inputs['wOut']!],
  };
}
