// `safeinfer report`: the report of a finished run again, or of several runs together.
import { relative } from 'node:path';
import type { Command } from 'commander';
import { terminalTable } from '../report/format-table.ts';
import { reportOfRuns } from '../report/merge-runs.ts';
import { readRun } from '../report/read-run.ts';
import { writeReport } from '../report/write-report.ts';
import { openRunDirectory } from '../run/run-directory.ts';

interface ReportFlags {
  readonly out?: string;
  readonly showHarmful: boolean;
  readonly json: boolean;
}

export function registerReportCommand(program: Command): void {
  program
    .command('report')
    .description('write the report again from results.jsonl, or one report over several runs')
    .argument('<run...>', 'directories of finished runs')
    .option('--out <directory>', 'where the report goes (default: the run, or runs/<all names>)')
    .option('--show-harmful', 'let the page show harmful text, masked until it is clicked', false)
    .option('--json', 'print the report as JSON as well', false)
    .action((runs: string[], flags: ReportFlags) => reportCommand(runs, flags));
}

async function reportCommand(paths: readonly string[], flags: ReportFlags): Promise<void> {
  const runs = paths.map(readRun);
  const data = reportOfRuns(runs);
  const own =
    runs.length === 1 ? runs[0]!.directory : `runs/${runs.map(({ name }) => name).join('+')}`;
  const directory = openRunDirectory(flags.out ?? own);
  const page = await writeReport({ data, directory, showHarmful: flags.showHarmful });
  if (flags.json) {
    const { records: _, ...summary } = data;
    process.stdout.write(`${JSON.stringify(summary)}\n`);
    return;
  }
  process.stdout.write(`${terminalTable(data.rows)}\n\n`);
  process.stdout.write(data.limits.map((limit) => `- ${limit}\n`).join(''));
  process.stdout.write(`\nreport: ${relative('.', page)}\n`);
}
