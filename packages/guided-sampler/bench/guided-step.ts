// Cost of a guided step: plain, SafeInfer as rows, lazy, two prompts, naive two forwards, and PyTorch, in turns.
//   tsx --conditions=@safeinfer/source bench/guided-step.ts [backend] [rounds] [steps] [threads]
import { type BackendName, useBackend } from '@safeinfer/backend';
import { plain, safeInfer, safeInferFormula, term } from '../src/index.ts';
import { benchAdapter, benchModel, CONFIG, SHAPE } from './bench-model.ts';
import { median, naiveTimes, stepTimes } from './step-times.ts';
import { TorchWorker } from './torch-worker.ts';

const [backend = 'ort', rounds = '5', steps = '12', threads = '2'] = process.argv.slice(2);
const report = await useBackend({ name: backend as BackendName, threads: Number(threads) });
console.log(`backend ${report.name} ${JSON.stringify(report.versions)}, ${report.threads} threads`);
const model = benchModel();
model.addAdapter('unsafe', benchAdapter());
const vector = Float32Array.from({ length: CONFIG.dModel }, (_, i) => Math.sin(i));
const steer = [
  { at: 'blocks.4.hook_resid_post', op: 'add', vector, scale: 0.1, positions: 'last' },
] as const;

const prompt = (row: number, length: number): number[] =>
  Array.from({ length }, (_, i) => (i * 7919 + row * 104729) % SHAPE.vocab);
const formula = safeInferFormula(term('safe'), term('unsafe'));
const plans = {
  plain: plain({ model }),
  twin: safeInfer({ model, unsafe: { adapter: 'unsafe' } }),
  steered: safeInfer({ model, safe: steer, unsafe: { adapter: 'unsafe' } }),
  prompts: safeInfer({ model, unsafe: { prompt: { prefix: prompt(99, 24) } } }),
};

// PyTorch runs with every number of threads up to ours: which is fastest depends on what else the machine does.
const torch = new Map<number, TorchWorker>();
for (let count = 1; count <= Number(threads); count++) {
  const started = await TorchWorker.start(count);
  if (started === undefined) break;
  console.log(`PyTorch ${JSON.stringify(started.hello)}`);
  await started.worker.ask({ op: 'build', ...SHAPE });
  torch.set(count, started.worker);
}
const count = Number(steps);
for (const rows of [1, 8]) {
  const prompts = Array.from({ length: rows }, (_, row) => prompt(row, 64));
  const options = { prompts, attribution: 'none' as const };
  const cases: Record<string, () => Promise<number[]>> = {
    plain: () => stepTimes({ ...options, plan: plans.plain }, count),
    'SafeInfer, adapter twin': () =>
      stepTimes({ ...options, plan: plans.twin, lazy: false }, count),
    'SafeInfer, steered + twin': () =>
      stepTimes({ ...options, plan: plans.steered, lazy: false }, count),
    'SafeInfer, two prompts': () =>
      stepTimes({ ...options, plan: plans.prompts, lazy: false }, count),
    'naive two forwards': () =>
      naiveTimes({ model, formula, adapter: 'unsafe', prompts, steps: count }),
  };
  for (const [workers, worker] of torch) {
    for (const terms of [1, 2]) {
      cases[`PyTorch x ${terms}, ${workers} thread${workers > 1 ? 's' : ''}`] = async () =>
        (await worker.ask({ op: 'decode', rows, tokens: 64, steps: count, terms }))[
          'ms'
        ] as number[];
    }
  }
  const times = new Map<string, number[]>();
  for (let round = 0; round <= Number(rounds); round++) {
    for (const [name, run] of Object.entries(cases)) {
      const ms = await run();
      // The first round warms caches of kernels and of the allocator.
      if (round > 0) times.set(name, [...(times.get(name) ?? []), ...ms]);
    }
  }
  const base = median(times.get('plain') ?? []);
  console.log(
    `\nbatch ${rows}: ms per step (median of ${rounds} rounds x ${count} steps in turns)`,
  );
  for (const [name, ms] of times) {
    const value = median(ms);
    console.log(
      `  ${name.padEnd(28)} ${value.toFixed(1).padStart(8)}   ${(value / base).toFixed(2)} x plain`,
    );
  }
}
for (const worker of torch.values()) worker[Symbol.dispose]();
