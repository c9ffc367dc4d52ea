// `safeinfer calibrate`: judges against people, on labels of a run, of a table, or of XSTest.
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { SafeInferError } from '@safeinfer/backend';
import { agreement } from '@safeinfer/harmeval';
import { type Command, InvalidArgumentError } from 'commander';
import { calibrateJudges, correctedOrNull } from '../calibrate/calibrate-judges.ts';
import { readLabels } from '../calibrate/human-labels.ts';
import { readLabelTable } from '../calibrate/label-table.ts';
import { calibrateOnXsTest } from '../calibrate/xstest-calibration.ts';
import { formatEstimate, textTable } from '../report/format-table.ts';
import {
  AGREEMENT_COLUMNS,
  agreementCells,
  CORRECTED_COLUMNS,
  calibrationCells,
  correctedCells,
} from '../report/judge-cells.ts';
import { readRun } from '../report/read-run.ts';

interface CalibrateFlags {
  readonly labels?: string;
  readonly xstest?: string;
  readonly judge?: readonly string[];
  readonly observed?: Observed;
  readonly json: boolean;
}

interface Observed {
  readonly successes: number;
  readonly trials: number;
}

export function registerCalibrateCommand(program: Command, signal: AbortSignal): void {
  program
    .command('calibrate')
    .description(
      'compare judges with people: kappa, confusion, attack success corrected for errors',
    )
    .argument(
      '[run]',
      'a run that was labelled in the viewer, or a CSV with columns judge and human',
    )
    .option('--labels <file>', 'labels to use instead of labels.jsonl of the run')
    .option('--observed <k/n>', 'with a CSV: a judge’s count to correct, such as 60/550', observed)
    .option('--xstest <directory>', 'XSTest’s labelled completions, for refusal lists')
    .option('--judge <list...>', 'with --xstest: only these lists')
    .option('--json', 'as JSON', false)
    .action((run: string | undefined, flags: CalibrateFlags) =>
      calibrateCommand({ path: run, flags, signal }),
    );
}

async function calibrateCommand(options: {
  readonly path: string | undefined;
  readonly flags: CalibrateFlags;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { path, flags, signal } = options;
  if (flags.xstest !== undefined) {
    await xsTest(flags.xstest, flags, signal);
    return;
  }
  if (path === undefined) {
    throw new SafeInferError('nothing to calibrate on', {
      code: 'BAD_ARGUMENT',
      hint: 'name a labelled run, a CSV with columns judge and human, or --xstest <directory>',
    });
  }
  if (existsSync(path) && statSync(path).isFile()) table(path, flags);
  else labelledRun(path, flags);
}

function labelledRun(path: string, flags: CalibrateFlags): void {
  const run = readRun(path);
  const labels = flags.labels === undefined ? run.labels : readLabels(flags.labels);
  const calibration = labels ? calibrateJudges(run.records, labels) : [];
  if (calibration.length === 0) {
    throw new SafeInferError(`no answer of ${run.name} is labelled`, {
      code: 'NOT_FOUND',
      hint: `label some in \`safeinfer view\`, or put ${join(path, 'labels.jsonl')} there`,
    });
  }
  if (flags.json) {
    print(calibration);
    return;
  }
  process.stdout.write(`${textTable([AGREEMENT_COLUMNS, ...calibrationCells(calibration)])}\n\n`);
  process.stdout.write(`${textTable([CORRECTED_COLUMNS, ...correctedCells(calibration)])}\n`);
}

function table(file: string, flags: CalibrateFlags): void {
  const results = [...readLabelTable(file)].map(([judge, pairs]) => {
    const result = agreement(pairs);
    const corrected = flags.observed
      ? correctedOrNull(flags.observed.successes, flags.observed.trials, result)
      : undefined;
    return { judge, agreement: result, ...(corrected === undefined ? {} : { corrected }) };
  });
  if (flags.json) {
    print(results);
    return;
  }
  process.stdout.write(
    `${textTable([AGREEMENT_COLUMNS, ...results.map((one) => agreementCells(one.judge, one.agreement))])}\n`,
  );
  for (const { judge, corrected } of results) {
    if (corrected === undefined) continue;
    const text = corrected === null ? 'not possible with these labels' : formatEstimate(corrected);
    process.stdout.write(`\n${judge}: corrected % ${text}\n`);
  }
}

async function xsTest(
  directory: string,
  flags: CalibrateFlags,
  signal: AbortSignal,
): Promise<void> {
  const results = await calibrateOnXsTest({ directory, lists: flags.judge, signal });
  if (flags.json) {
    print(results.map(({ disagreements: _, ...rest }) => rest));
    return;
  }
  process.stdout.write(
    `${textTable([
      AGREEMENT_COLUMNS,
      ...results.flatMap(({ judge, bySystem }) =>
        Object.entries(bySystem).map(([system, result]) =>
          agreementCells(`${judge} on ${system}`, result),
        ),
      ),
    ])}\n`,
  );
}

function print(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

function observed(text: string): Observed {
  const match = /^(\d+)\/(\d+)$/.exec(text);
  const [successes, trials] = [Number(match?.[1]), Number(match?.[2])];
  if (match && trials > 0 && successes <= trials) return { successes, trials };
  throw new InvalidArgumentError('a count looks like 60/550');
}
