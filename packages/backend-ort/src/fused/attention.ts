// Attention over blocks of cached keys as one native call.
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Kernel } from '../kernels/kernel.ts';
import { type OrtValue, ortValue, runSession } from '../native/binding.ts';
import { Graph } from '../onnx/graph.ts';
import type { ModelSpec } from '../onnx/model.ts';

export const attention: Kernel = ({ inputs, attrs, backend }) => {
  const q = inputs['q']!;
  const blocks = attrs['blocks'] as number;
  const softcap = attrs['softcap'] as number;
  const mask = inputs['mask'];
  const [streams, heads, length, width] = q.shape as [number, number, number, number];
  const kvHeads = inputs['k0']!.shape[1]!;
  const group = heads / kvHeads;
  // Queries of one key head lie side by side, as one matrix. A mask differs by query, not by head of the
  // group, so where both axes are real they stay apart and the keys are broadcast over the group.
  const apart = mask !== undefined && group > 1 && length > 1;
  const queries = apart ? [group, length] : [group * length];
  const keyAxis = apart ? [1] : [];
  const feeds: Record<string, OrtValue> = {
    q: ortValue('float32', backend.floats(q), [streams, kvHeads, ...queries, width]),
  };
  const sizes: number[] = [];
  for (let block = 0; block < blocks; block++) {
    for (const side of ['k', 'v']) {
      const info = inputs[`${side}${block}`] as TensorInfo;
      const dims = [streams, kvHeads, ...keyAxis, info.shape[2]!, info.shape[3]!];
      feeds[`${side}${block}`] = ortValue('float32', backend.floats(info), dims);
    }
    sizes.push(inputs[`k${block}`]!.shape[2]!);
  }
  const keys = sizes.reduce((sum, size) => sum + size, 0);
  const work = streams * heads * length * keys * width;
  if (mask !== undefined) {
    const shared = mask.shape[0]!;
    const dims = apart ? [shared, 1, 1, length, keys] : [shared, 1, length, keys];
    feeds['mask'] = ortValue('float32', backend.floats(mask), dims);
  }
  if (blocks > 1) {
    feeds['sizes'] = ortValue('int64', BigInt64Array.from(sizes.map(BigInt)), [blocks]);
  }
  const valueWidth = inputs['v0']!.shape[3]!;
  const out = backend.output([streams, heads, length, valueWidth]);
  const session = backend.sessions.get(
    `attention/${blocks}/${mask !== undefined}/${softcap}`,
    work,
    () => model({ blocks, masked: mask !== undefined, softcap }),
    // To the bits of a whole block, whose graph is not rewritten either.
    { asWritten: true },
  );
  const dims = [streams, kvHeads, ...queries, valueWidth];
  runSession(session, feeds, { y: ortValue('float32', out.values, dims) });
  return out.info;
};

function model(options: { blocks: number; masked: boolean; softcap: number }): ModelSpec {
  const { blocks, masked, softcap } = options;
  const graph = new Graph();
  const each = (side: string): string[] =>
    Array.from({ length: blocks }, (_, block) => graph.input(`${side}${block}`));
  const z = weightedValues(graph, {
    q: graph.input('q'),
    keys: each('k'),
    values: each('v'),
    softcap,
    mask: masked ? graph.input('mask') : undefined,
    sizes: blocks > 1 ? graph.input('sizes', 'int64') : undefined,
  });
  graph.output('y', z);
  return graph.spec();
}

/**
 * Adds softmax(cap(q k) + mask) v over blocks of keys and values, whose lengths are `sizes` where they are several. One
 * form for attention alone and in a whole block, which must give the same bits.
 */
export function weightedValues(
  graph: Graph,
  parts: {
    readonly q: string;
    readonly keys: readonly string[];
    readonly values: readonly string[];
    readonly softcap: number;
    readonly mask: string | undefined;
    readonly sizes: string | undefined;
  },
): string {
  const { q, keys, values, softcap, mask, sizes } = parts;
  const products = keys.map((own) => graph.product(q, own, { transB: true }));
  let scores = products.length === 1 ? products[0]! : graph.op('Concat', products, { axis: -1 });
  if (softcap > 0) {
    const cap = graph.floats([softcap]);
    scores = graph.mul(graph.op('Tanh', [graph.op('Div', [scores, cap])]), cap);
  }
  if (mask !== undefined) scores = graph.add(scores, mask);
  const pattern = graph.op('Softmax', [scores], { axis: -1 });
  const patterns =
    sizes === undefined
      ? [pattern]
      : graph.ops('Split', [pattern, sizes], values.length, { axis: -1 });
  return graph.sum(values.map((own, i) => graph.product(patterns[i]!, own)));
}
