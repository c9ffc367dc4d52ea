// A block as one kernel, where the backend has it and nobody looks into or changes what is inside.
import { hasFusedKernel, prepareFusedBlock, runFusedBlock } from '@safeinfer/backend';
import type * as tf from '@tensorflow/tfjs-core';
import type { BlockPoint, HookName } from '../hooks/hook-name.ts';
import type { Plan } from '../hooks/plan.ts';
import { appendFresh, asKeys, cachedColumns, keyPositions } from './cached-keys.ts';
import {
  defined,
  deltasOf,
  HEADS_WEIGHTS,
  headsAttrs,
  headsInputs,
  mlpInputs,
} from './fused-inputs.ts';
import { maskFor, slotPositions } from './packing.ts';
import type { Pass } from './pass.ts';

/** Longer streams attend piece by piece: see `attention`. */
const LONGEST = 256;

/** Products whose input the block does not show: adapters of these take it apart. */
const INNER_PRODUCTS = ['attn.W_O', 'mlp.W_gate', 'mlp.W_in', 'mlp.W_out'] as const;

/** The output [N, D] of block `layer` for `x` [N, D]; undefined where it must be computed by halves. */
export function wholeBlock(pass: Pass, layer: number, x: tf.Tensor2D): tf.Tensor2D | undefined {
  if (!hasFusedKernel('SafeInferBlock') || pass.taped || !isOfTheKind(pass)) return undefined;
  const { config, layout } = pass;
  const second = pass.normParts(`blocks.${layer}.ln2`);
  const inputs = {
    ...headsInputs(pass, layer, x),
    ...mlpInputs(pass, layer),
    gain2: second.w,
    wO: pass.weight(`blocks.${layer}.attn.W_O`),
    ...defined({ bias2: second.b, bO: pass.optional(`blocks.${layer}.attn.b_O`) }),
  };
  const attrs = {
    ...headsAttrs(pass, layer),
    activation: config.mlp.activation,
    softcap: config.attention.softcap ?? 0,
  };
  const view = viewOf(pass.plan, layer);
  const deltas = deltasOf(pass, layer, HEADS_WEIGHTS);
  // So that products have the same bits by halves, whether or not the block was run whole before.
  const byHalves = (): undefined => {
    prepareFusedBlock(inputs, attrs);
  };
  if (view === 'inside' || deltas === 'none fit' || !fits(pass, layer)) return byHalves();
  const old = cachedColumns(pass, layer);
  if (old?.some(({ share }) => share !== 1)) return byHalves();
  const name = (point: BlockPoint): HookName => `blocks.${layer}.${point}`;
  const positions = slotPositions(pass);
  const mask = maskFor(
    pass,
    keyPositions(pass, [...(old ?? []).map(asKeys), { positions, share: 1 }]),
    layer,
  );
  const past: Record<string, tf.Tensor> = {};
  old?.forEach(({ chunk }, i) => {
    past[`k${i}`] = chunk.k;
    past[`v${i}`] = chunk.v;
  });
  const made = runFusedBlock(
    { ...inputs, ...past, ...defined({ mask }) },
    {
      ...attrs,
      streams: layout.streams.length,
      past: old?.length ?? 0,
      mid: view === 'middle',
      keys: old !== undefined,
    },
    deltas,
  );
  if (made === undefined) return undefined;
  const { y, mid, k, v } = made;
  if (mid !== undefined) pass.at(name('hook_resid_mid'), mid);
  if (old !== undefined && k !== undefined && v !== undefined) {
    appendFresh({ pass, layer, old, fresh: { k, v, positions } });
  }
  return pass.at(name('hook_resid_post'), y);
}

/** True for blocks as the kernel computes them. */
function isOfTheKind({ config }: Pass): boolean {
  const { block, attention } = config;
  return (
    block.preNorm &&
    !block.postNorm &&
    !block.sharedNorm &&
    block.layout === 'sequential' &&
    attention.qkNorm === 'none'
  );
}

/** True for tokens as the kernel takes them, weights as they stand, and a pass that goes to the block's end. */
function fits(pass: Pass, layer: number): boolean {
  const { layout, plan } = pass;
  if (plan.lastStep < 2 + 2 * layer || !layout.uniform || layout.longest > LONGEST) return false;
  // Rows of one stream must not part in the middle of the block.
  if (layout.streams.length < pass.rows.length && (pass.adapted || plan.edits.size > 0)) {
    return false;
  }
  return (
    !pass.adapted ||
    !INNER_PRODUCTS.some((name) => pass.deltas(`blocks.${layer}.${name}`).length > 0)
  );
}

type View = 'outside' | 'middle' | 'inside';
const views = new WeakMap<Plan, Map<number, View>>();

/** How far the plan looks into a block: not at all, at the stream after attention, or further. */
function viewOf(plan: Plan, layer: number): View {
  if (!plan.busy.has(layer)) return 'outside';
  let known = views.get(plan);
  if (known === undefined) {
    known = new Map();
    views.set(plan, known);
  }
  let view = known.get(layer);
  if (view === undefined) {
    view = lookInto(plan, layer);
    known.set(layer, view);
  }
  return view;
}

function lookInto(plan: Plan, layer: number): View {
  const { captures, probes, edits } = plan;
  const prefix = `blocks.${layer}.`;
  const isOwn = (name: string): boolean => name.startsWith(prefix);
  const isEnd = (name: string): boolean =>
    name === `${prefix}hook_resid_pre` || name === `${prefix}hook_resid_post`;
  const mid = `${prefix}hook_resid_mid`;
  const touched = [...probes, ...edits.keys()].filter(isOwn);
  if (!touched.every(isEnd)) return 'inside';
  const read = [...captures].filter(isOwn);
  if (!read.every((name) => isEnd(name) || name === mid)) return 'inside';
  return captures.has(mid) ? 'middle' : 'outside';
}
