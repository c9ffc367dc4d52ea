// Lazy terms on the bundled pocket model: equality over many prompts, skip rate, and cost beside plain decoding.
//   tsx --conditions=@safeinfer/source bench/pocket-lazy.ts [backend] [prompts for equality] [rounds] [threads]
import { readFileSync } from 'node:fs';
import { type BackendName, useBackend } from '@safeinfer/backend';
import { loadPocket, pocketPaths } from '@safeinfer/pocket';
import { encodeChat, type Transformer, type WeightName } from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import { type GenerateOptions, generate, plain, safeInfer, stream } from '../src/index.ts';

const [backend = 'ort', many = '1000', rounds = '3', threads = '1'] = process.argv.slice(2);
const report = await useBackend({ name: backend as BackendName, threads: Number(threads) });
console.log(`backend ${report.name}, ${report.threads} threads`);
using pocket = await loadPocket();
const { model, tokenizer } = pocket;

/** Questions of the bundled data, harmful and harmless in turn, as chat prompts. */
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

for (const lambda of [0.99, 0.9, 0.5]) {
  const plan = safeInfer({ model, unsafe: { adapter: 'unsafe' }, lambda });
  const prompts = questions(Number(many));
  const run = { plan, prompts, maxNewTokens: 16, batchSize: 16, attribution: 'none' } as const;
  const off = await generate({ ...run, lazy: false });
  const on = await generate({ ...run, lazy: true });
  const auto = await generate(run);
  const same = (a: typeof off): number =>
    a.completions.filter((c, i) => c.tokens.join() === off.completions[i]?.tokens.join()).length;
  const rate = (on.stats.terms['unsafe']?.skipped ?? 0) / on.stats.generated;
  console.log(
    `lambda ${lambda}: identical answers lazy ${same(on)}/${many}, auto ${same(auto)}/${many}; skip rate ${(100 * rate).toFixed(1)} % of ${on.stats.generated} tokens`,
  );
}

using twin = mergedTwin();
const safe = safeInfer({ model, unsafe: { adapter: 'unsafe' } });
const merged = safeInfer({ model, unsafe: { model: twin } });
const cases: Readonly<Record<string, Pick<GenerateOptions, 'plan' | 'lazy'>>> = {
  plain: { plan: plain({ model }) },
  'adapter twin, never lazy': { plan: safe, lazy: false },
  'adapter twin, lazy': { plan: safe, lazy: true },
  'adapter twin, auto': { plan: safe },
  'merged twin, never lazy': { plan: merged, lazy: false },
  'merged twin, lazy': { plan: merged, lazy: true },
};
const cpu = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

for (const batch of [1, 8]) {
  const all = questions(24 * (Number(rounds) + 1));
  const sums = new Map<
    string,
    { wall: number; cpu: number; tokens: number; after: number; steps: number }
  >();
  for (let at = 0; at < all.length; at += batch) {
    for (const [name, options] of Object.entries(cases)) {
      const sum = sums.get(name) ?? { wall: 0, cpu: 0, tokens: 0, after: 0, steps: 0 };
      sums.set(name, sum);
      const prompts = all.slice(at, at + batch);
      const start = { wall: performance.now(), cpu: cpu() };
      let tokens = 0;
      let first = start.cpu;
      for await (const event of stream({
        ...options,
        prompts,
        maxNewTokens: 24,
        batchSize: batch,
        attribution: 'none',
      })) {
        if (event.type !== 'token') continue;
        tokens++;
        if (event.step === 0) first = cpu();
      }
      // The first 24 prompts warm up.
      if (at < 24) continue;
      sum.wall += performance.now() - start.wall;
      sum.cpu += cpu() - start.cpu;
      sum.tokens += tokens;
      sum.after += cpu() - first;
      sum.steps += tokens - prompts.length;
    }
  }
  console.log(`\nbatch ${batch}: ms per generated token`);
  const base = sums.get('plain');
  for (const [name, sum] of sums) {
    const value = (s: typeof sum) =>
      [s.wall / s.tokens, s.cpu / s.tokens, s.after / s.steps] as const;
    const [mine, theirs] = [value(sum), value(base as typeof sum)];
    const columns = ['wall', 'cpu', 'cpu after the first token'].map(
      (label, i) =>
        `${label} ${(mine[i] as number).toFixed(2)} (${((mine[i] as number) / (theirs[i] as number)).toFixed(2)} x)`,
    );
    console.log(`  ${name.padEnd(26)} ${columns.join('   ')}`);
  }
}
