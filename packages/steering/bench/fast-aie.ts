// Fast indirect effects against patching one whole forward a head, by number of heads and of prompts that share their
// demonstrations: equality, token-blocks and wall time in one run. One JSON line a case, then a Markdown table.
// pnpm tsx --conditions=@safeinfer/source packages/steering/bench/fast-aie.ts [backend] [case ...]
import { type BackendName, useBackend } from '@safeinfer/backend';
import { loadPocket } from '@safeinfer/pocket';
import { createRandomModel, type Transformer } from '@safeinfer/transformer';
import { headOutput, indirectEffects, meanHeadOutputs } from '../src/index.ts';

const LENGTH = 300;
/** Tokens of the query, which prompts with the same demonstrations do not share. */
const QUERY = 12;
/** Whole forwards that are timed; their mean stands for all layers x heads x prompts of them. */
const SAMPLE = 24;

/** Layers and heads of known models; widths are scaled down, which changes no count of blocks. */
const SHAPES: Readonly<
  Record<string, { readonly layers: number; readonly heads: number; readonly width: number }>
> = {
  '16 x 16 (width 64)': { layers: 16, heads: 16, width: 64 },
  'GPT-2 small, 12 x 12 (width 96)': { layers: 12, heads: 12, width: 96 },
  'Llama-2-7B, 32 x 32 (width 64)': { layers: 32, heads: 32, width: 64 },
};
const CASES: readonly (readonly [shape: string, prompts: number])[] = [
  ['pocket itself, 8 x 8 (width 128)', 1],
  ['pocket itself, 8 x 8 (width 128)', 5],
  ['pocket itself, 8 x 8 (width 128)', 25],
  ['GPT-2 small, 12 x 12 (width 96)', 1],
  ['GPT-2 small, 12 x 12 (width 96)', 5],
  ['GPT-2 small, 12 x 12 (width 96)', 25],
  ['16 x 16 (width 64)', 1],
  ['16 x 16 (width 64)', 5],
  ['Llama-2-7B, 32 x 32 (width 64)', 1],
  ['Llama-2-7B, 32 x 32 (width 64)', 5],
];

const [backend = 'ort', ...only] = process.argv.slice(2);
const report = await useBackend({ name: backend as BackendName });
const lines: string[] = [];
for (const [index, [shape, count]] of CASES.entries()) {
  if (only.length > 0 && !only.includes(String(index))) continue;
  using opened = shape.startsWith('pocket') ? await loadPocket() : undefined;
  using random = opened ? undefined : randomModel(shape);
  const model = (opened?.model ?? random) as Transformer;
  lines.push(await measure(shape, count, model));
  process.stderr.write(`${lines.at(-1)}\n`);
}
process.stdout.write(
  `Prompts of ${LENGTH} tokens, backend ${report.name}.\n\n${[
    '| layers x heads | prompts with the same demonstrations | fewer token-blocks | faster (wall) | one whole forward, ms | fast, ms a prompt | largest difference |',
    '|---|---|---|---|---|---|---|',
    ...lines,
  ].join('\n')}\n`,
);

function randomModel(shape: string): Transformer {
  const { layers, heads, width } = SHAPES[shape]!;
  return createRandomModel({
    config: {
      nLayers: layers,
      nHeads: heads,
      dModel: width,
      dMlp: 2 * width,
      vocabSize: 512,
      maxPositions: 512,
    },
    seed: 1,
  });
}

async function measure(shape: string, count: number, model: Transformer): Promise<string> {
  const { nLayers, nHeads } = model.config;
  const demonstrations = Array.from({ length: LENGTH - QUERY }, (_, i) => (i * 37 + 11) % 512);
  const prompts = Array.from({ length: count }, (_, query) => ({
    tokens: [
      ...demonstrations,
      ...Array.from({ length: QUERY }, (_, i) => (i * 53 + query * 29 + 7) % 512),
    ],
    target: 5,
    opposed: 9,
  }));
  const means = await meanHeadOutputs({
    model,
    prompts: [prompts[0]!.tokens.map((t) => (t * 3 + 1) % 512)],
  });
  const difference = async (
    prompt: (typeof prompts)[number],
    patch?: { layer: number; head: number },
  ): Promise<number> => {
    using result = model.forward([
      {
        tokens: prompt.tokens,
        interventions: patch
          ? [
              {
                at: `blocks.${patch.layer}.attn.hook_z`,
                op: 'set',
                heads: [patch.head],
                positions: 'last',
                vector: Float32Array.from(headOutput(means, patch.layer, patch.head)),
              },
            ]
          : [],
      },
    ]);
    const logits = await result.lastLogits().data();
    return logits[prompt.target]! - logits[prompt.opposed]!;
  };
  // Warm-up: kernels are compiled on first use.
  await indirectEffects({ model, prompts: prompts.slice(0, 1), means });
  await difference(prompts[0]!);
  const start = performance.now();
  const effects = await indirectEffects({ model, prompts, means });
  const fastMs = performance.now() - start;
  // The oracle, on the heads that are timed: the mean over all prompts needs all of them only where it is cheap.
  const checked = await indirectEffects({ model, prompts: prompts.slice(0, 1), means });
  const effectOf = new Map(checked.ranked.map((e) => [e.layer * nHeads + e.head, e.effect]));
  const total = nLayers * nHeads;
  const begun = performance.now();
  const plain = await difference(prompts[0]!);
  let apart = 0;
  const step = Math.max(1, Math.floor(total / SAMPLE));
  let forwards = 1;
  for (let i = 0; i < total; i += step) {
    const slow = await difference(prompts[0]!, { layer: Math.floor(i / nHeads), head: i % nHeads });
    apart = Math.max(apart, Math.abs(slow - plain - effectOf.get(i)!));
    forwards += 1;
  }
  const oneMs = (performance.now() - begun) / forwards;
  const { tokenBlocks, naiveTokenBlocks } = effects.cost;
  const times = (value: number): string => `${value.toFixed(value < 10 ? 1 : 0)}x`;
  return `| ${shape} | ${count} | ${times(naiveTokenBlocks / tokenBlocks)} | ${times((oneMs * total * count) / fastMs)} | ${oneMs.toFixed(1)} | ${(fastMs / count).toFixed(0)} | ${apart.toExponential(1)} |`;
}
