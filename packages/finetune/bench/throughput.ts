// Training throughput on the pocket architecture against PyTorch fp32, step by step in turn.
// usage: tsx --conditions=@safeinfer/source bench/throughput.ts <backend> [threads] [steps]
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type BackendName, useBackend } from '@safeinfer/backend';
import { createRandomModel, readModelConfig } from '@safeinfer/transformer';
import { train } from '../src/index.ts';
import { EXAMPLES_PER_STEP, pocketExamples } from './pocket-steps.ts';

interface Cost {
  readonly wall: number;
  readonly cpu: number;
}

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const [backend = 'ort', threads = '2', count = '12'] = process.argv.slice(2);
const steps = Number(count);
const venv =
  process.env['SAFEINFER_PARITY_VENV'] ?? join(homedir(), '.cache', 'safeinfer-parity-venv');

const torch = spawn(join(venv, 'bin', 'python'), [here('./torch_step.py'), threads], {
  stdio: ['pipe', 'pipe', 'inherit'],
});
const lines = createInterface({ input: torch.stdout })[Symbol.asyncIterator]();
const answer = async (): Promise<string> => (await lines.next()).value as string;
console.log(await answer());

// tfjs-node reads its thread count from TF_NUM_INTRAOP_THREADS, before it is loaded.
process.env['TF_NUM_INTRAOP_THREADS'] ??= threads;
await useBackend({
  name: backend as BackendName,
  ...(backend === 'ort' ? { threads: Number(threads) } : {}),
});
const config = readModelConfig(
  JSON.parse(readFileSync(here('../../pocket/model/config.json'), 'utf8')),
);
const model = createRandomModel({ config, seed: 1 });
const data = pocketExamples(steps, config.vocabSize);
const tokens = data.slice(0, EXAMPLES_PER_STEP).reduce((sum, own) => sum + own.tokens.length, 0);

const ours: Cost[] = [];
const theirs: Cost[] = [];
let wall = performance.now();
let cpu = process.cpuUsage();
const begin = (): void => {
  wall = performance.now();
  cpu = process.cpuUsage();
};
const end = (): Cost => {
  const used = process.cpuUsage(cpu);
  return { wall: (performance.now() - wall) / 1000, cpu: (used.user + used.system) / 1e6 };
};

/** One PyTorch step on the same examples, while ours waits. */
async function torchStep(step: number): Promise<void> {
  const own = data
    .slice(step * EXAMPLES_PER_STEP, (step + 1) * EXAMPLES_PER_STEP)
    .map((x) => ({ tokens: [...Array.from(x.tokens)], weights: [...Array.from(x.weights)] }));
  const short = own.filter((x) => x.tokens.length < 100);
  const long = own.filter((x) => x.tokens.length >= 100);
  torch.stdin.write(`${JSON.stringify([short, long])}\n`);
  theirs.push(JSON.parse(await answer()) as Cost);
}

const plan = {
  name: 'bench',
  step: (step: number): number[][] => {
    const first = step * EXAMPLES_PER_STEP;
    const indices = Array.from({ length: EXAMPLES_PER_STEP }, (_, i) => first + i);
    const short = indices.filter((i) => (data[i]?.tokens.length ?? 0) < 100);
    const long = indices.filter((i) => (data[i]?.tokens.length ?? 0) >= 100);
    begin();
    return [short, long];
  },
};
// Steps of one process: the loop waits for PyTorch between them, so that both see the same load.
let step = 0;
for (; step < steps; step++) {
  const at = step;
  const { model: next } = await train({
    model,
    data,
    method: { kind: 'full' },
    optimiser: { learningRate: 1e-3, weightDecay: 0.1 },
    batch: { name: 'bench', step: () => plan.step(at) },
    steps: 1,
    seed: 1,
    onProgress: () => ours.push(end()),
  });
  next.dispose();
  await torchStep(step);
  console.error(JSON.stringify({ step, ours: ours.at(-1), torch: theirs.at(-1) }));
}
torch.stdin.end();

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] as number;
// The first steps load kernels and caches on both sides.
const warm = <T>(list: readonly T[]): readonly T[] => list.slice(Math.min(3, list.length - 1));
const sum = (list: readonly Cost[], key: keyof Cost): number =>
  list.reduce((total, own) => total + own[key], 0);
for (const key of ['wall', 'cpu'] as const) {
  const [a, b] = [warm(ours).map((x) => x[key]), warm(theirs).map((x) => x[key])];
  console.log(
    `${backend} ${threads} threads, ${tokens} tokens a step, ${key}: ours ${(tokens / median(a)).toFixed(0)} tokens/s, ` +
      `PyTorch ${(tokens / median(b)).toFixed(0)}, ratio ${(median(b) / median(a)).toFixed(2)} (of sums ${(
        sum(warm(theirs), key) / sum(warm(ours), key)
      ).toFixed(2)})`,
  );
}
process.exit(0);
