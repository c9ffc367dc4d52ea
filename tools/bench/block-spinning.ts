// Whether the pool threads of a block's session should wait busily between its nodes: `block-spinning.ts [gap in us]`.

import { productShape } from '../../packages/backend-ort/src/fused/block/block-graph.ts';
import {
  type BlockPlan,
  PAST_SLOTS,
} from '../../packages/backend-ort/src/fused/block/block-plan.ts';
import {
  BlockWeights,
  eachProduct,
} from '../../packages/backend-ort/src/fused/block/block-weights.ts';
import { shapeFeeds, sizes } from '../../packages/backend-ort/src/fused/block/shape-feeds.ts';
import { type OrtValue, ortValue } from '../../packages/backend-ort/src/native/binding.ts';
import { median } from './table.ts';

const [width, inner, heads, dHead, blocks, past] = [768, 2048, 12, 64, 12, 138];
const ROUNDS = 40;
const SPINS = [false, true];
/** What JavaScript takes between two blocks of a decoding step. */
const gap = Number(process.argv[2] ?? 200);

const plan: BlockPlan = {
  norm: 'rms',
  eps: 1e-5,
  gainOffset: 0,
  activation: 'silu',
  gated: true,
  width,
  inner,
  nHeads: heads,
  nKvHeads: heads,
  dHead,
  scale: Math.fround(dHead ** -0.5),
  softcap: 0,
  rotary: undefined,
  biases: { norm: false, heads: false, output: false, up: false, down: false },
};

/** Different for every matrix: ONNX Runtime stores equal ones once. */
const random = (size: number): Float32Array =>
  Float32Array.from({ length: size }, () => (Math.random() - 0.5) / 20);

function model(spin: boolean): BlockWeights[] {
  return Array.from({ length: blocks }, () => {
    const values = eachProduct((name) => {
      const shape = productShape(plan, name);
      return shape.columns.map((columns) => random(shape.inner * columns));
    });
    const block = BlockWeights.join({ plan, values, threads: 2, spin });
    if (block === undefined) throw new Error('no room for the weights in the temporary folder');
    return block;
  });
}

function call(rows: number): [feeds: Record<string, OrtValue>, fetches: Record<string, OrtValue>] {
  const floats = (shape: number[]): OrtValue =>
    ortValue('float32', random(shape.reduce((a, b) => a * b, 1)), shape);
  const keys = [rows, heads, past, dHead];
  const feeds: Record<string, OrtValue> = {
    ...shapeFeeds(plan, { streams: rows, length: 1, apart: false }),
    x: floats([rows, width]),
    k0: floats(keys),
    v0: floats(keys),
    lengths: sizes([past, ...new Array<number>(PAST_SLOTS - 1).fill(0), 1]),
  };
  return [feeds, { y: floats([rows, width]) }];
}

const models = new Map(SPINS.map((spin) => [spin, model(spin)]));
console.log(
  `| ms for 12 blocks, ${gap} us between them | ${SPINS.map((spin) => (spin ? 'waiting' : 'sleeping')).join(' | ')} |`,
);
console.log('|---|---|---|');
for (const rows of [1, 2, 8]) {
  const [feeds, fetches] = call(rows);
  const times = new Map<boolean, number[]>(SPINS.map((spin) => [spin, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [spin, own] of models) {
      const start = performance.now();
      for (const block of own) {
        block.run(feeds, fetches);
        const until = performance.now() + gap / 1000;
        while (performance.now() < until);
      }
      times.get(spin)?.push(performance.now() - start);
    }
  }
  console.log(
    `| ${rows} rows | ${SPINS.map((spin) => median(times.get(spin) ?? []).toFixed(1)).join(' | ')} |`,
  );
}
