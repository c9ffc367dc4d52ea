// Cost of a guided step: plain, SafeInfer as rows, two prompts, naive two forwards, and PyTorch, all in turns.
//   SAFEINFER_PARITY_VENV=... tsx --conditions=@safeinfer/source bench/guided-step.ts
//     [--backend ort] [--batch 1,8] [--rounds 5] [--steps 12] [--threads 2]
import { parseArgs } from 'node:util';
import { type BackendName, useBackend } from '@safeinfer/backend';
import { plain, safeInfer, safeInferFormula, term } from '../src/index.ts';
import { benchAdapter, benchModel, CONFIG, RANK, SHAPE } from './bench-model.ts';
import { median, naiveTimes, stepTimes } from './step-times.ts';
import { TorchWorker } from './torch-worker.ts';

const { values } = parseArgs({
  options: {
    backend: { type: 'string', default: 'ort' },
    batch: { type: 'string', default: '1,8' },
    rounds: { type: 'string', default: '5' },
    steps: { type: 'string', default: '12' },
    threads: { type: 'string', default: '2' },
  },
});
const [rounds, steps, threads] = [values.rounds, values.steps, values.threads].map(Number) as [
  number,
  number,
  number,
];
const PROMPT_TOKENS = 64;
const report = await useBackend({ name: values.backend as BackendName, threads });
console.log(`backend ${report.name} ${JSON.stringify(report.versions)}, ${report.threads} threads`);
using torch = await TorchWorker.start();
if (torch === undefined) {
  console.log('no PyTorch rows: SAFEINFER_PARITY_VENV names no Python (tools/parity/setup.sh)');
} else {
  const built = await torch.ask({ op: 'build', ...SHAPE, rank: RANK });
  console.log(`PyTorch ${JSON.stringify({ ...torch.hello, ...built })}, ${threads} threads`);
}

using model = benchModel();
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
  'SafeInfer, adapter twin': safeInfer({ model, unsafe: { adapter: 'unsafe' } }),
  'SafeInfer, steered + twin': safeInfer({ model, safe: steer, unsafe: { adapter: 'unsafe' } }),
  'SafeInfer, two prompts': safeInfer({ model, unsafe: { prompt: { prefix: prompt(99, 24) } } }),
};
/** In torch_guided.py: how the twin runs there. */
const torchWays = {
  'PyTorch, one forward': 'plain',
  'PyTorch, merged twin': 'merged',
  'PyTorch, adapter switched': 'switched',
  'PyTorch, adapter by rows': 'mixed',
};

/** Every subject of a batch size: runs some steps and returns the time of each in ms. */
function subjects(rows: number): ReadonlyMap<string, () => Promise<readonly number[]>> {
  const prompts = Array.from({ length: rows }, (_, row) => prompt(row, PROMPT_TOKENS));
  const all = new Map<string, () => Promise<readonly number[]>>();
  for (const [name, plan] of Object.entries(plans)) {
    all.set(name, () => stepTimes({ plan, prompts, attribution: 'none', lazy: false }, steps));
  }
  all.set('naive two forwards', () =>
    naiveTimes({ model, formula, adapter: 'unsafe', prompts, steps }),
  );
  for (const [name, way] of torch === undefined ? [] : Object.entries(torchWays)) {
    const command = { op: 'decode', rows, tokens: PROMPT_TOKENS, steps, way, threads };
    all.set(name, async () => (await torch?.ask(command))?.['ms'] as number[]);
  }
  return all;
}

for (const rows of values.batch.split(',').map(Number)) {
  const times = new Map<string, number[]>();
  const running = subjects(rows);
  for (let round = 0; round <= rounds; round++) {
    for (const [name, run] of running) {
      const ms = await run();
      // The first round warms caches of kernels and of the allocator.
      if (round > 0) times.set(name, [...(times.get(name) ?? []), ...ms]);
    }
  }
  const value = (name: string): number => median(times.get(name) ?? []);
  console.log(
    `\nbatch ${rows}: ms per step (median of ${rounds} rounds x ${steps} steps in turns)`,
  );
  for (const name of times.keys()) {
    const ms = value(name);
    const columns = [
      ms.toFixed(1).padStart(8),
      `${(ms / value('plain')).toFixed(2)} x plain`,
      `${(ms / value('SafeInfer, adapter twin')).toFixed(2)} x guided`,
    ];
    console.log(`  ${name.padEnd(28)} ${columns.join('   ')}`);
  }
}
