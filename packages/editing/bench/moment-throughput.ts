// Tokens per second of collecting second moments against a plain forward of the same texts, interleaved: the median
// of the rounds' ratios, with the range. On pocket, and on a random Llama-like model that is wider. At an early layer the
// collection wins because its pass ends there; the last layer is the fair comparison: nothing of the pass is spared.
// Run: pnpm tsx --conditions=@safeinfer/source packages/editing/bench/moment-throughput.ts [--rounds 7] [--threads 2]
import { parseArgs } from 'node:util';
import { useBackend } from '@safeinfer/backend';
import { loadPocket } from '@safeinfer/pocket';
import { createRandomModel, type Transformer, uniformAt } from '@safeinfer/transformer';
import { collectMoments } from '../src/index.ts';

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    threads: { type: 'string', default: '2' },
  },
});
const rounds = Number(flags.rounds);
/** Of one pass of collectMoments, by default; a forward gets the same rows. */
const BATCH = { rows: 16, length: 64 };

async function compare(options: {
  readonly name: string;
  readonly model: Transformer;
  readonly layers: readonly number[];
  readonly batches: number;
}): Promise<void> {
  const { name, model, layers, batches } = options;
  const { vocabSize } = model.config;
  const texts = Array.from({ length: BATCH.rows * batches }, (_, i) =>
    Array.from({ length: BATCH.length }, (_, t) =>
      Math.floor(vocabSize * uniformAt(1, i * BATCH.length + t)),
    ),
  );
  const tokens = texts.length * BATCH.length;
  const forward = async (): Promise<void> => {
    for (let at = 0; at < texts.length; at += BATCH.rows) {
      const rows = texts.slice(at, at + BATCH.rows).map((ids) => ({ tokens: ids }));
      // The last layer's output is read, so that no backend can leave work undone.
      const point = `blocks.${model.config.nLayers - 1}.hook_resid_post` as const;
      using result = model.forward(rows, { capture: [point], logits: 'none' });
      await result.captured(rows.length - 1, point).data();
    }
  };
  const collect = async (): Promise<void> => {
    await collectMoments({ model, layers, texts });
  };
  const seconds = async (run: () => Promise<void>): Promise<number> => {
    const start = performance.now();
    await run();
    return (performance.now() - start) / 1000;
  };
  await forward();
  await collect();
  const ratios: number[] = [];
  const speeds: { readonly forward: number; readonly collect: number }[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const first = round % 2 === 0;
    const early = await seconds(first ? forward : collect);
    const late = await seconds(first ? collect : forward);
    const [plain, moments] = first ? [early, late] : [late, early];
    ratios.push(plain / moments);
    speeds.push({ forward: tokens / plain, collect: tokens / moments });
  }
  const median = (values: readonly number[]): number =>
    values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
  const sorted = ratios.toSorted((a, b) => a - b);
  console.log(
    `${name}, layer ${layers.join(', ')} of ${model.config.nLayers}, ${tokens} tokens a round, ${rounds} rounds: ` +
      `forward ${median(speeds.map((s) => s.forward)).toFixed(0)} tokens/s, ` +
      `collect ${median(speeds.map((s) => s.collect)).toFixed(0)} tokens/s, ` +
      `ratio ${median(ratios).toFixed(2)} [${sorted[0]!.toFixed(2)}, ${sorted.at(-1)!.toFixed(2)}]`,
  );
}

await useBackend({ name: 'ort', threads: Number(flags.threads) });
{
  using pocket = await loadPocket();
  const { model } = pocket;
  for (const layer of [0, model.config.nLayers - 1])
    await compare({ name: 'pocket', model, layers: [layer], batches: 4 });
}
const config = {
  like: 'llama',
  vocabSize: 2048,
  dModel: 512,
  dMlp: 1376,
  nLayers: 8,
  nHeads: 8,
} as const;
const model = createRandomModel({ config, seed: 1 });
for (const layer of [4, 7])
  await compare({ name: 'random Llama-like 8 x 512', model, layers: [layer], batches: 2 });
model.dispose();
