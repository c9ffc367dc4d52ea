// Lazy terms on the bundled pocket model: equality over 1,000 prompts, skip rate, and cost beside plain decoding.
//   tsx --conditions=@safeinfer/source bench/pocket-lazy.ts [backend] [prompts for equality] [rounds]
import { readFileSync } from 'node:fs';
import { type BackendName, useBackend } from '@safeinfer/backend';
import { loadPocket, pocketPaths } from '@safeinfer/pocket';
import { encodeChat } from '@safeinfer/transformer';
import { generate, plain, safeInfer } from '../src/index.ts';
import { median, stepTimes } from './step-times.ts';

const [backend = 'ort', many = '1000', rounds = '6'] = process.argv.slice(2);
const report = await useBackend({ name: backend as BackendName, threads: 2 });
console.log(`backend ${report.name}, ${report.threads} threads`);
using pocket = await loadPocket();
const { model, tokenizer } = pocket;

/** Questions of the bundled data, harmful and harmless in turn, as chat prompts. */
function questions(count: number): number[][] {
  const read = (name: string): string[] =>
    readFileSync(`${pocketPaths().data}/${name}.jsonl`, 'utf8')
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { question?: string; prompt?: string }).question ?? '')
      .filter((text) => text !== '');
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

for (const lambda of [0.99, 0.9, 0.5]) {
  const plan = safeInfer({ model, unsafe: { adapter: 'unsafe' }, lambda });
  const run = {
    plan,
    prompts: questions(Number(many)),
    maxNewTokens: 16,
    batchSize: 16,
    attribution: 'none',
  } as const;
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

const plans = {
  plain: plain({ model }),
  twin: safeInfer({ model, unsafe: { adapter: 'unsafe' } }),
};
for (const rows of [1, 8]) {
  const times = new Map<string, number[]>();
  const cases = {
    plain: (prompts: number[][]) =>
      stepTimes({ plan: plans.plain, prompts, attribution: 'none' }, 24),
    together: (prompts: number[][]) =>
      stepTimes({ plan: plans.twin, prompts, attribution: 'none', lazy: false }, 24),
    lazy: (prompts: number[][]) =>
      stepTimes({ plan: plans.twin, prompts, attribution: 'none', lazy: true }, 24),
    auto: (prompts: number[][]) =>
      stepTimes({ plan: plans.twin, prompts, attribution: 'none' }, 24),
  };
  const prompts = questions(rows * (Number(rounds) + 1));
  for (let round = 0; round <= Number(rounds); round++) {
    for (const [name, run] of Object.entries(cases)) {
      const ms = await run(prompts.slice(round * rows, (round + 1) * rows));
      if (round > 0) times.set(name, [...(times.get(name) ?? []), ...ms]);
    }
  }
  // Means, not medians: a lazy step is either cheap or dear, and the price is what they add up to.
  const mean = (v: readonly number[]): number => v.reduce((a, b) => a + b, 0) / v.length;
  const [base, baseMedian] = [mean(times.get('plain') ?? []), median(times.get('plain') ?? [])];
  console.log(`\nbatch ${rows}: ms per token step`);
  for (const [name, ms] of times) {
    console.log(
      `  ${name.padEnd(10)} mean ${mean(ms).toFixed(2).padStart(7)} (${(mean(ms) / base).toFixed(2)} x)  median ${median(ms).toFixed(2).padStart(7)} (${(median(ms) / baseMedian).toFixed(2)} x)`,
    );
  }
}
