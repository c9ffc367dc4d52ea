// `safeinfer judge`: other judges on the answers of a run; no answer is generated again.
import { join, relative } from 'node:path';
import { SafeInferError } from '@safeinfer/backend';
import type { Command } from 'commander';
import { EXIT } from '../errors/exit-code.ts';
import { judgeRecords } from '../judges/judge-records.ts';
import { openNamedJudges } from '../judges/open-judges.ts';
import { rewriteResults } from '../judges/rewrite-results.ts';
import { runItems } from '../judges/run-items.ts';
import { createProgressLine } from '../progress/progress-line.ts';
import { textTable } from '../report/format-table.ts';
import { JUDGE_COLUMNS, judgeCells } from '../report/judge-cells.ts';
import { reportOfRuns } from '../report/merge-runs.ts';
import { readRun } from '../report/read-run.ts';
import { writeReport } from '../report/write-report.ts';
import { occupyDirectory } from '../run/occupy-directory.ts';
import { openRunDirectory } from '../run/run-directory.ts';
import type { JudgeVerdict } from '../run/trial-record.ts';
import { openStore } from '../store/open-store.ts';
import { positiveInteger } from './positive-integer.ts';

interface JudgeFlags {
  readonly judge: readonly string[];
  readonly endpoint?: string;
  readonly endpointModel?: string;
  readonly apiKeyEnv?: string;
  readonly concurrency?: number;
  readonly judgeModel?: string;
  readonly primary?: string;
  readonly store?: string;
  readonly showHarmful: boolean;
}

export function registerJudgeCommand(program: Command, signal: AbortSignal): void {
  program
    .command('judge')
    .description('let other judges read the answers of a finished run, and write its report again')
    .argument('<run>', 'directory of a finished run')
    .requiredOption('--judge <name...>', 'refusal lists or judge prompts by name')
    .option('--endpoint <url>', 'OpenAI-compatible address that answers judge prompts (…/v1)')
    .option('--endpoint-model <name>', 'the model as the endpoint calls it')
    .option('--api-key-env <name>', 'environment variable that holds the key of the endpoint')
    .option(
      '--concurrency <n>',
      'requests in flight (default: 4, adapting up to 20)',
      positiveInteger,
    )
    .option('--judge-model <path>', 'a local model that answers judge prompts')
    .option(
      '--primary <judge>',
      'the judge (as the report names it) whose verdicts decide the rates',
    )
    .option('--store <file>', 'where verdicts are kept (default: the store of the run)')
    .option('--show-harmful', 'let the page show harmful text, masked until it is clicked', false)
    .action((run: string, flags: JudgeFlags) => judgeCommand({ path: run, flags, signal }));
}

async function judgeCommand(options: {
  readonly path: string;
  readonly flags: JudgeFlags;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { path, flags, signal } = options;
  const run = readRun(path);
  const directory = openRunDirectory(run.directory);
  using _ = occupyDirectory(run.directory);
  using store = openStore(flags.store ?? run.saved.store ?? join(run.directory, 'verdicts.sqlite'));
  const itemOf = await runItems(run.saved);
  using opened = await openNamedJudges({
    names: flags.judge,
    source: { ...flags, apiKey: keyOf(flags.apiKeyEnv) },
    store,
    signal,
  });
  const known = [
    ...opened.judges.map(({ name }) => name),
    ...run.records.map(({ judge }) => judge),
  ];
  if (flags.primary !== undefined && !known.includes(flags.primary)) {
    throw new SafeInferError(`"${flags.primary}" judges nothing here`, {
      code: 'BAD_ARGUMENT',
      hint: `--primary is one of: ${[...new Set(known)].join(', ')}`,
    });
  }
  const progress = createProgressLine();
  const verdicts: (readonly JudgeVerdict[])[] = [];
  let asked = 0;
  try {
    for await (const judged of judgeRecords({
      records: run.records,
      judges: opened.judges,
      itemOf,
      signal,
    })) {
      verdicts.push(judged.verdicts);
      asked += judged.asked;
      progress.update({ phase: 'judge', done: verdicts.length, total: run.records.length });
    }
  } finally {
    progress.end();
  }
  const records = rewriteResults({ directory, verdicts, primary: flags.primary });
  const data = reportOfRuns([{ ...run, records }]);
  const page = await writeReport({ data, directory, showHarmful: flags.showHarmful });
  const unreached = verdicts.flat().filter(({ status }) => status === 'api_error').length;
  if (unreached > 0) process.exitCode = EXIT.partial;
  process.stdout.write(`${textTable([JUDGE_COLUMNS, ...judgeCells(data.judges)])}\n\n`);
  process.stdout.write(
    `${verdicts.flat().length} verdicts, ${asked} asked for now, no answer generated\n`,
  );
  if (unreached > 0) {
    process.stdout.write(
      `${unreached} verdicts failed: run the same command again to ask for them\n`,
    );
  }
  process.stdout.write(`report: ${relative('.', page)}\n`);
}

function keyOf(variable: string | undefined): string | undefined {
  if (variable === undefined) return undefined;
  const key = process.env[variable];
  if (key) return key;
  throw new SafeInferError(`the environment variable ${variable} is empty`, {
    code: 'BAD_ARGUMENT',
    hint: `export ${variable}=... first; keys are not taken from the command line`,
  });
}
