// Fast indirect effects against patching one whole forward a head: equality, token-blocks and wall time in one run.
// pnpm tsx --conditions=@safeinfer/source packages/steering/bench/fast-aie.ts [backend]
import { type BackendName, useBackend } from '@safeinfer/backend';
import { createRandomModel } from '@safeinfer/transformer';
import { headOutput, indirectEffects, meanHeadOutputs } from '../src/index.ts';

const LENGTH = 300;
// Many heads of little width, as in real models: what is shared (the prompt) is paid once for all of them.
const LAYERS = 16;
const HEADS = 16;
/** Of the whole forwards every 8th is run; their time counts eightfold. All of them would take minutes. */
const SAMPLE = 8;
const report = await useBackend({ name: (process.argv[2] ?? 'ort') as BackendName });
using model = createRandomModel({
  config: {
    nLayers: LAYERS,
    nHeads: HEADS,
    dModel: 64,
    dMlp: 128,
    vocabSize: 512,
    maxPositions: 512,
  },
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
  for (let i = 0; i < LAYERS * HEADS; i += SAMPLE) {
    out.push((await difference({ layer: Math.floor(i / HEADS), head: i % HEADS })) - plain);
  }
  return out;
}

// Warm-up: kernels are compiled on first use.
const effects = await fast();
const start = performance.now();
await fast();
const middle = performance.now();
const slow = await naive();
const end = performance.now();

const effectOf = new Map(effects.ranked.map((e) => [e.layer * HEADS + e.head, e.effect]));
const apart = Math.max(...slow.map((value, i) => Math.abs(value - effectOf.get(i * SAMPLE)!)));
const naiveMs = (end - middle) * ((LAYERS * HEADS) / (slow.length + 1));
const { tokenBlocks, naiveTokenBlocks } = effects.cost;
process.stdout.write(
  `${JSON.stringify(
    {
      backend: report.name,
      promptLength: LENGTH,
      heads: LAYERS * HEADS,
      naiveForwardsTimed: slow.length + 1,
      largestDifference: apart,
      tokenBlocks,
      naiveTokenBlocks,
      fewerTokenBlocks: naiveTokenBlocks / tokenBlocks,
      fastMs: middle - start,
      naiveMs,
      faster: naiveMs / (middle - start),
    },
    undefined,
    2,
  )}\n`,
);
