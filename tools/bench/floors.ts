// What a step cannot be faster than on this machine, beside what it took: `floors.ts matmul.json decode.json ...`.
import { readFileSync } from 'node:fs';
import { weightShapes } from '@safeinfer/transformer';
import { CONFIGS, type ShapeName } from './model-shapes.ts';
import { median } from './table.ts';

interface Result {
  readonly label: string;
  readonly values: Readonly<Record<string, readonly number[]>>;
}

const results: Result[] = process.argv
  .slice(2)
  .flatMap((file) => (JSON.parse(readFileSync(file, 'utf8')) as { results: Result[] }).results);

/** Bytes and operations count what every implementation must do: each weight read once, no attention, no norms. */
interface Cost {
  readonly bytes: number;
  readonly flops: number;
}

function fp32Median({ values }: Result, subjects: readonly string[]): number {
  return Math.min(
    ...subjects.flatMap((name) => (values[name] === undefined ? [] : [median(values[name])])),
  );
}

const FP32 = ['ort', 'tfjs-node', 'torch-float32'];
const products = results.flatMap((result) => {
  const match = /^matmul (\d+) x (\d+) x (\d+)/.exec(result.label);
  if (match === null) return [];
  const [rows, inner, columns] = match.slice(1).map(Number) as [number, number, number];
  return [{ rows, bytes: 4 * inner * columns, flops: 2 * rows * inner * columns, result }];
});
const best = (list: typeof products, of: 'bytes' | 'flops'): number =>
  Math.max(...list.map((one) => one[of] / fp32Median(one.result, FP32))) / 1e6;
/** GB/s of the largest matrix, by one row. */
const largest = Math.max(...products.map(({ bytes }) => bytes));
const bandwidth = best(
  products.filter(({ rows, bytes }) => rows === 1 && bytes === largest),
  'bytes',
);
const peak = best(products, 'flops');

function costOf(label: string): Cost | undefined {
  const match =
    /^(llama|gpt2): (?:decode, (\d+) rows|prefill of (?:(\d+) x )?(\d+)|forward and backward of (\d+) x (\d+))/.exec(
      label,
    );
  if (match === null) return undefined;
  const config = CONFIGS[match[1] as ShapeName];
  let blocks = 0;
  for (const [name, shape] of weightShapes(config)) {
    if (name.startsWith('blocks.') && shape.length === 2) blocks += shape[0]! * shape[1]!;
  }
  const head = config.dModel * config.vocabSize;
  const bytes = 4 * (blocks + head);
  if (match[2] !== undefined) return { bytes, flops: 2 * Number(match[2]) * (blocks + head) };
  if (match[4] !== undefined) {
    const rows = Number(match[3] ?? 1);
    return { bytes, flops: 2 * rows * (Number(match[4]) * blocks + head) };
  }
  // The backward pass makes two products for each of the forward one.
  return { bytes, flops: 6 * Number(match[5]) * Number(match[6]) * (blocks + head) };
}

console.log(
  `Measured in the same series: the largest matrix streams at ${bandwidth.toFixed(1)} GB/s for one row, and ` +
    `the fastest fp32 product makes ${peak.toFixed(0)} GFLOP/s, on any of ${FP32.join(', ')}.\n`,
);
console.log(
  '| | read, MB | GFLOP | floor, ms | ort, ms | of floor | torch-float32, ms | of floor |',
);
console.log('|---|---|---|---|---|---|---|---|');
for (const result of results) {
  const cost = costOf(result.label);
  if (cost === undefined) continue;
  const floor = Math.max(cost.bytes / bandwidth, cost.flops / peak) / 1e6;
  const cells = ['ort', 'torch-float32'].flatMap((name) => {
    const own = result.values[name];
    if (own === undefined) return ['', ''];
    return [median(own).toFixed(1), `${(median(own) / floor).toFixed(2)}x`];
  });
  const numbers = [
    (cost.bytes / 1e6).toFixed(0),
    (cost.flops / 1e9).toFixed(2),
    floor.toFixed(1),
    ...cells,
  ];
  console.log(`| ${result.label} | ${numbers.join(' | ')} |`);
}
