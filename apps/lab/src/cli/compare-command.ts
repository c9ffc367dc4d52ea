// `safeinfer compare`: paired differences of arms or runs, and gates for CI.
import type { Command } from 'commander';
import { compareRuns } from '../compare/compare-runs.ts';
import { checkGate, parseGate } from '../compare/gate.ts';
import { EXIT } from '../errors/exit-code.ts';
import { DIFFERENCE_COLUMNS, differenceCells, textTable } from '../report/format-table.ts';
import { readRun } from '../report/read-run.ts';

interface CompareFlags {
  readonly baseline?: string;
  readonly arms?: readonly string[];
  readonly gate?: readonly string[];
  readonly json: boolean;
}

export function registerCompareCommand(program: Command): void {
  program
    .command('compare')
    .description('compare arms of a run, or two runs, on the same items')
    .argument('<run>', 'directory of a finished run')
    .argument('[other]', 'a second run: arms of the same name are compared with the first')
    .option('--baseline <name>', 'arm (edit, style) that the others are compared with')
    .option('--arms <name...>', 'only these arms; the first is the baseline')
    .option(
      '--gate <condition...>',
      'exit with 4 unless it holds: "asr(SafeInfer) < asr(base)", "asr(SafeInfer).high < 10%", "asr(SafeInfer).delta.high < 0"',
    )
    .option('--json', 'as JSON', false)
    .action((run: string, other: string | undefined, flags: CompareFlags) =>
      compareCommand(run, other, flags),
    );
}

function compareCommand(run: string, other: string | undefined, flags: CompareFlags): void {
  // A gate with a mistake in it must not wait for a long comparison.
  for (const gate of flags.gate ?? []) parseGate(gate);
  const first = readRun(run);
  const { differences, rows } = compareRuns({
    runs: other === undefined ? [first] : [first, readRun(other)],
    baseline: flags.baseline,
    arms: flags.arms,
  });
  const gates = (flags.gate ?? []).map((gate) => checkGate(gate, rows));
  if (gates.some(({ passed }) => !passed)) process.exitCode = EXIT.gate;
  if (flags.json) {
    process.stdout.write(`${JSON.stringify({ differences, gates })}\n`);
    return;
  }
  process.stdout.write(
    `${textTable([[...DIFFERENCE_COLUMNS], ...differenceCells(differences)])}\n`,
  );
  for (const { gate, passed, details } of gates) {
    process.stdout.write(`\ngate ${passed ? 'passed' : 'FAILED'}: ${gate}\n`);
    process.stdout.write(details.map((detail) => `  ${detail}\n`).join(''));
  }
}
