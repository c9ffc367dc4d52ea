// `safeinfer eval`: one model, any sets, every local judge.
import { relative } from 'node:path';
import { loadBenchmark } from '../benchmarks/load-benchmark.ts';
import type { PromptStyle } from '../config/experiment-schema.ts';
import { answerFaults, judgeTable } from '../eval/judge-table.ts';
import { localJudges, runEval } from '../eval/run-eval.ts';
import { chooseBackend } from '../model/choose-backend.ts';
import { type OpenModel, openModel } from '../model/open-model.ts';
import { createProgressLine } from '../progress/progress-line.ts';
import { openRunDirectory } from '../run/run-directory.ts';

export interface EvalFlags {
  readonly model: string;
  readonly set: readonly string[];
  readonly style: PromptStyle;
  readonly judgeModel?: string;
  readonly out: string;
  readonly limit?: number;
  readonly backend?: string;
  readonly maxNewTokens: number;
}

/** Rows of one forward pass: enough to fill the cores, small enough for the cache of a long prompt. */
const BATCH_SIZE = 16;

export async function evalCommand(options: {
  readonly flags: EvalFlags;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { flags, signal } = options;
  const directory = openRunDirectory(flags.out);
  const benchmarks = await Promise.all(
    flags.set.map((entry) => {
      // `catqa=path/to/file.json` names the file of a set that is not bundled.
      const [use = '', path] = entry.split('=');
      return loadBenchmark({
        config: { use, ...(path === undefined ? {} : { path }) },
        style: flags.style,
        experimentFile: 'command line',
        limit: flags.limit,
      });
    }),
  );
  await chooseBackend({ backend: flags.backend });
  using opened = await openModel({ name: flags.model, signal });
  using judging = await openJudge(flags, opened, signal);
  const progress = createProgressLine();
  const lines: string[] = [];
  const outcomes = await runEval({
    model: opened.model,
    benchmarks,
    judges: localJudges({
      judgeModel: judging?.model,
      judgeName: judging?.sha256,
      batchSize: BATCH_SIZE,
    }),
    maxNewTokens: flags.maxNewTokens,
    batchSize: BATCH_SIZE,
    seed: 0,
    signal,
    onProgress: (update) => progress.update(update),
    onRecord: (record) => lines.push(JSON.stringify(record)),
  }).finally(() => progress.end());
  directory.write('records.jsonl', `${lines.join('\n')}\n`);
  const summary = directory.write(
    'summary.json',
    `${JSON.stringify(
      outcomes.map(({ benchmark, summary }) => ({ set: benchmark.name, ...summary })),
      null,
      2,
    )}\n`,
  );
  process.stdout.write(`\n${judgeTable(outcomes)}\n\n`);
  process.stdout.write(outcomes.map((outcome) => `${answerFaults(outcome)}\n`).join(''));
  process.stdout.write(`\nsummary: ${relative('.', summary)}\n`);
}

/** The model under test may judge itself; it is then opened once. */
async function openJudge(
  flags: EvalFlags,
  opened: OpenModel,
  signal: AbortSignal,
): Promise<OpenModel | undefined> {
  if (flags.judgeModel === undefined) return undefined;
  if (flags.judgeModel === flags.model) return { ...opened, [Symbol.dispose]: () => undefined };
  return openModel({ name: flags.judgeModel, signal });
}
