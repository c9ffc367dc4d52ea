// `safeinfer bench`: what each arm costs beside the first, on the given model and this machine.
import { SafeInferError } from '@safeinfer/backend';
import { type Command, InvalidArgumentError } from 'commander';
import { chooseBackend } from '../model/choose-backend.ts';
import { createProgressLine } from '../progress/progress-line.ts';
import { type DecodeCost, decodeCosts } from '../serve/decode-cost.ts';
import { loadGuard, PLAIN } from '../serve/guard-config.ts';
import { openArms } from '../serve/served-arms.ts';
import { positiveInteger } from './positive-integer.ts';

interface BenchFlags {
  readonly model: string;
  readonly guard?: string;
  readonly rounds: number;
  readonly batch: number;
  readonly tokens: number;
  readonly backend?: string;
  readonly threads?: number;
  readonly json: boolean;
}

export function registerBenchCommand(program: Command, signal: AbortSignal): void {
  program
    .command('bench')
    .description('measure the decoding cost of every arm beside the first, in turns in one run')
    .option('--model <path>', 'model directory, hub name or "pocket"', 'pocket')
    .option('--guard <file>', 'YAML file of arms, as for serve; without it the plain model alone')
    .option('--rounds <n>', 'times every arm is measured', positiveInteger, 5)
    .option('--batch <n>', 'answers at once', positiveInteger, 1)
    .option('--tokens <n>', 'tokens an answer', atLeastTwo, 32)
    .option('--backend <name>', 'compute backend (default: the best that works here)')
    .option('--threads <n>', 'threads of the backend', positiveInteger)
    .option('--json', 'as JSON', false)
    .action((flags: BenchFlags) => benchCommand({ flags, signal }));
}

async function benchCommand(options: {
  readonly flags: BenchFlags;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { flags, signal } = options;
  const guard = flags.guard === undefined ? PLAIN : loadGuard(flags.guard);
  const backend = await chooseBackend({ backend: flags.backend, threads: flags.threads });
  const progress = createProgressLine();
  using arms = await openArms({
    model: flags.model,
    guard,
    backend: backend.name,
    signal,
    onProgress: (update) => progress.update(update),
  });
  const { rounds, batch, tokens } = flags;
  const costs = await decodeCosts({
    arms: arms.arms,
    rounds,
    batch,
    tokens,
    signal,
    onRound: (done) => progress.update({ phase: 'rounds', done, total: rounds }),
  })
    .catch((cause: unknown) => {
      if (!signal.aborted) throw cause;
      throw new SafeInferError('interrupted', { code: 'ABORTED', hint: 'nothing is wrong', cause });
    })
    .finally(() => progress.end());
  const facts = { model: flags.model, backend: backend.name, rounds, batch, tokens };
  process.stdout.write(
    flags.json ? `${JSON.stringify({ ...facts, arms: costs })}\n` : table(facts, costs),
  );
}

function table(facts: Readonly<Record<string, unknown>>, costs: readonly DecodeCost[]): string {
  const rows = costs.map((cost) => [
    cost.arm,
    cost.msPerToken.toFixed(2),
    cost.msToFirstToken.toFixed(1),
    `${cost.ratio.toFixed(2)} x`,
    `${(100 * cost.skipped).toFixed(0)} %`,
  ]);
  const all = [['arm', 'ms/token', 'ms to first', 'beside first', 'skipped'], ...rows];
  const widths = all[0]?.map((_, i) => Math.max(...all.map((row) => row[i]?.length ?? 0))) ?? [];
  const lines = all.map((row) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join('  '),
  );
  const head = Object.entries(facts).map(([name, value]) => `${name} ${value}`);
  return `${head.join(', ')}\n${lines.join('\n')}\n`;
}

function atLeastTwo(text: string): number {
  const value = positiveInteger(text);
  if (value > 1) return value;
  throw new InvalidArgumentError('a token after the first is needed to measure one');
}
