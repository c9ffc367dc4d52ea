// Attention over blocks of cached keys as one native call.
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Kernel } from '../kernels/kernel.ts';
import { type OrtValue, ortValue, runSession } from '../native/binding.ts';
import type { ModelSpec, NodeSpec } from '../onnx/model.ts';

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
    () => graph({ blocks, masked: mask !== undefined, softcap }),
    // To the bits of a whole block, whose graph is not rewritten either.
    { asWritten: true },
  );
  const dims = [streams, kvHeads, ...queries, valueWidth];
  runSession(session, feeds, { y: ortValue('float32', out.values, dims) });
  return out.info;
};

function graph(options: { blocks: number; masked: boolean; softcap: number }): ModelSpec {
  const { blocks, masked, softcap } = options;
  const each = <T>(make: (block: number) => T): T[] =>
    Array.from({ length: blocks }, (_, i) => make(i));
  const nodes: NodeSpec[] = each((block) => ({
    op: 'FusedMatMul',
    inputs: ['q', `k${block}`],
    outputs: [`s${block}`],
    attributes: { transB: 1 },
    contrib: true,
  }));
  let scores = 's0';
  const then = (op: string, others: string[], attributes: NodeSpec['attributes'] = {}): void => {
    nodes.push({ op, inputs: [scores, ...others], outputs: [`${scores}_`], attributes });
    scores += '_';
  };
  if (blocks > 1) then('Concat', each((block) => `s${block}`).slice(1), { axis: -1 });
  if (softcap > 0) {
    then('Div', ['cap']);
    then('Tanh', []);
    then('Mul', ['cap']);
  }
  if (masked) then('Add', ['mask']);
  then('Softmax', [], { axis: -1 });
  const patterns = blocks > 1 ? each((block) => `p${block}`) : [scores];
  if (blocks > 1) {
    nodes.push({
      op: 'Split',
      inputs: [scores, 'sizes'],
      outputs: patterns,
      attributes: { axis: -1 },
    });
  }
  nodes.push(
    ...each((block) => ({
      op: 'MatMul',
      inputs: [patterns[block]!, `v${block}`],
      outputs: [blocks > 1 ? `z${block}` : 'y'],
    })),
  );
  if (blocks > 1) nodes.push({ op: 'Sum', inputs: each((block) => `z${block}`), outputs: ['y'] });
  return {
    nodes,
    inputs: [
      { name: 'q', type: 'float32' },
      ...each((block) =>
        ['k', 'v'].map((side) => ({ name: `${side}${block}`, type: 'float32' as const })),
      ).flat(),
      ...(masked ? [{ name: 'mask', type: 'float32' as const }] : []),
      ...(blocks > 1 ? [{ name: 'sizes', type: 'int64' as const }] : []),
    ],
    outputs: [{ name: 'y', type: 'float32' }],
    initializers:
      softcap > 0
        ? [
            {
              name: 'cap',
              type: 'float32',
              shape: [],
              data: new Uint8Array(Float32Array.of(softcap).buffer),
            },
          ]
        : [],
  };
}
