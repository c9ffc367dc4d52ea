// Lazy terms on the bundled pocket model: equality over many prompts, skip rate, and cost beside plain decoding.
//   tsx --conditions=@safeinfer/source bench/pocket-lazy.ts [--backend ort] [--threads 1]
//     [--equal 60] [--lambda 0.99]   answers that must be equal with and without skipping (1000: about ten minutes)
//     [--prompts 90] [--batch 1]     timed questions; about 20 s for 90
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type BackendName, useBackend } from '@safeinfer/backend';
import { loadPocket, pocketPaths } from '@safeinfer/pocket';
import { encodeChat, type Transformer, type WeightName } from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import { type GenerateOptions, generate, plain, safeInfer, stream } from '../src/index.ts';

const { values } = parseArgs({
  options: {
    backend: { type: 'string', default: 'ort' },
    threads: { type: 'string', default: '1' },
    equal: { type: 'string', default: '60' },
    lambda: { type: 'string', default: '0.99' },
    prompts: { type: 'string', default: '90' },
    batch: { type: 'string', default: '1' },
  },
});
const report = await useBackend({
  name: values.backend as BackendName,
  threads: Number(values.threads),
});
console.log(`backend ${report.name}, ${report.threads} threads`);
using pocket = await loadPocket();
const { model, tokenizer } = pocket;

/** Questions of the bundled data, one harmful for two harmless, as chat prompts. */
function questions(count: number): number[][] {
  const read = (name: string): string[] =>
    readFileSync(`${pocketPaths().data}/${name}.jsonl`, 'utf8')
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { readonly question: string }).question);
  const sets = ['harmful', 'fact-questions', 'how-to'].map(read);
  return Array.from({ length: count }, (_, i) => {
    const set = sets[i % sets.length] as string[];
    const content = set[Math.floor(i / sets.length) % set.length] as string;
    return encodeChat({
      tokenizer,
      messages: [{ role: 'user', content }],
      addGenerationPrompt: true,
    });
  });
}

/** The unsafe twin as a checkpoint of its own: the adapter added into the weights it changes. */
function mergedTwin(): Transformer {
  const changes = new Map<WeightName, tf.Tensor>();
  for (const [name, { A, B, scale }] of pocket.adapters.unsafe.deltas) {
    const weight = model.weights.get(name) as tf.Tensor;
    changes.set(
      name,
      tf.tidy(() => tf.add(weight, tf.mul(tf.matMul(A, B), scale))),
    );
  }
  return model.withWeights(changes);
}

for (const lambda of values.lambda.split(',').map(Number)) {
  const plan = safeInfer({ model, unsafe: { adapter: 'unsafe' }, lambda });
  const prompts = questions(Number(values.equal));
  const run = { plan, prompts, maxNewTokens: 16, batchSize: 16, attribution: 'none' } as const;
  const off = await generate({ ...run, lazy: false });
  const on = await generate({ ...run, lazy: true });
  const auto = await generate(run);
  const same = (a: typeof off): number =>
    a.completions.filter((c, i) => c.tokens.join() === off.completions[i]?.tokens.join()).length;
  const rate = (on.stats.terms['unsafe']?.skipped ?? 0) / on.stats.generated;
  console.log(
    `lambda ${lambda}: identical answers lazy ${same(on)}/${values.equal}, auto ${same(auto)}/${values.equal}; skip rate ${(100 * rate).toFixed(1)} % of ${on.stats.generated} tokens`,
  );
}

using twin = mergedTwin();
const safe = safeInfer({ model, unsafe: { adapter: 'unsafe' } });
const merged = safeInfer({ model, unsafe: { model: twin } });
const cases: Readonly<Record<string, Pick<GenerateOptions, 'plan' | 'lazy' | 'speculate'>>> = {
  plain: { plan: plain({ model }) },
  'adapter twin, never lazy': { plan: safe, lazy: false },
  'adapter twin, lazy': { plan: safe, lazy: true },
  'lazy, no waiting': { plan: safe, lazy: true, speculate: 1 },
  'merged twin, lazy': { plan: merged, lazy: true },
};
/** The first questions warm caches of kernels. */
const WARM_UP = 12;

/** Time to the first token and per later token, of all timed answers of one case. */
interface Sum {
  prompts: number;
  promptMs: number;
  tokens: number;
  tokenMs: number;
  skipped: number;
  forwards: number;
}

async function measure(prompts: readonly number[][], name: string, sum: Sum): Promise<void> {
  const start = performance.now();
  let first = start;
  let tokens = 0;
  let twins = { skipped: 0, forwards: 0 };
  for await (const event of stream({
    ...(cases[name] as (typeof cases)[string]),
    prompts,
    maxNewTokens: 24,
    batchSize: prompts.length,
    attribution: 'none',
  })) {
    if (event.type === 'finish') twins = event.stats.terms['unsafe'] ?? twins;
    else if (++tokens > 0 && event.step === 0) first = performance.now();
  }
  sum.prompts += prompts.length;
  sum.promptMs += first - start;
  sum.tokens += tokens - prompts.length;
  sum.tokenMs += performance.now() - first;
  sum.skipped += twins.skipped;
  sum.forwards += twins.forwards;
}

for (const batch of values.batch.split(',').map(Number)) {
  const all = questions(WARM_UP + Number(values.prompts));
  const sums = new Map<string, Sum>();
  for (let at = 0; at < all.length; at += batch) {
    for (const name of Object.keys(cases)) {
      const empty = { prompts: 0, promptMs: 0, tokens: 0, tokenMs: 0, skipped: 0, forwards: 0 };
      const sum = sums.get(name) ?? empty;
      if (at >= WARM_UP) sums.set(name, sum);
      await measure(all.slice(at, at + batch), name, sum);
    }
  }
  console.log(`\nbatch ${batch}, ${values.prompts} questions in turns: wall ms beside plain`);
  const base = sums.get('plain') as Sum;
  for (const [name, sum] of sums) {
    const per = (ms: 'promptMs' | 'tokenMs', count: 'prompts' | 'tokens'): string => {
      const [mine, theirs] = [sum, base].map((s) => s[ms] / s[count]) as [number, number];
      return `${mine.toFixed(2)} (${(mine / theirs).toFixed(2)} x)`;
    };
    const columns = [
      `to the first token ${per('promptMs', 'prompts')}`,
      `per later token ${per('tokenMs', 'tokens')}`,
      `twin: ${sum.forwards} passes, ${sum.skipped} of ${sum.tokens + sum.prompts} tokens skipped it`,
    ];
    console.log(`  ${name.padEnd(26)} ${columns.join('   ')}`);
  }
}
