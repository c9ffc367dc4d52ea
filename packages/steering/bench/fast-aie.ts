// Fast indirect effects against patching one whole forward a head: equality, token-blocks and wall time in one run.
// pnpm tsx --conditions=@safeinfer/source packages/steering/bench/fast-aie.ts [backend]
import { type BackendName, useBackend } from '@safeinfer/backend';
import { createRandomModel } from '@safeinfer/transformer';
import { headOutput, indirectEffects, meanHeadOutputs } from '../src/index.ts';

const LENGTH = 300;
const report = await useBackend({ name: (process.argv[2] ?? 'ort') as BackendName });
using model = createRandomModel({
  config: { nLayers: 8, nHeads: 8, dModel: 128, dMlp: 256, vocabSize: 512, maxPositions: 512 },
  seed: 1,
});
const prompt = {
  tokens: Array.from({ length: LENGTH }, (_, i) => (i * 37 + 11) % 512),
  target: 5,
  opposed: 9,
};
const means = await meanHeadOutputs({
  model,
  prompts: [prompt.tokens.map((t) => (t * 3 + 1) % 512)],
});
const fast = () => indirectEffects({ model, prompts: [prompt], means });

async function naive(): Promise<number[]> {
  const difference = async (patch?: { layer: number; head: number }): Promise<number> => {
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
  const plain = await difference();
  const out: number[] = [];
  for (let layer = 0; layer < 8; layer += 1)
    for (let head = 0; head < 8; head += 1) out.push((await difference({ layer, head })) - plain);
  return out;
}

// Warm-up: kernels are compiled on first use.
const effects = await fast();
const start = performance.now();
await fast();
const middle = performance.now();
const slow = await naive();
const end = performance.now();

const apart = Math.max(
  ...effects.ranked.map(({ layer, head, effect }) => Math.abs(effect - slow[layer * 8 + head]!)),
);
const { tokenBlocks, naiveTokenBlocks } = effects.cost;
process.stdout.write(
  `${JSON.stringify(
    {
      backend: report.name,
      promptLength: LENGTH,
      heads: slow.length,
      largestDifference: apart,
      tokenBlocks,
      naiveTokenBlocks,
      fewerTokenBlocks: naiveTokenBlocks / tokenBlocks,
      fastMs: middle - start,
      naiveMs: end - middle,
      faster: (end - middle) / (middle - start),
    },
    undefined,
    2,
  )}\n`,
);
