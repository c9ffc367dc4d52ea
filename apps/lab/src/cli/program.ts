// The command line: names, options and help of every command; each command's work lives elsewhere.
import { Command, Option } from 'commander';
import { registerBenchCommand } from './bench-command.ts';
import { registerCalibrateCommand } from './calibrate-command.ts';
import { registerChatCommand } from './chat-command.ts';
import { registerCompareCommand } from './compare-command.ts';
import { doctorCommand } from './doctor-command.ts';
import { registerEditCommand } from './edit-command.ts';
import { type EvalFlags, evalCommand } from './eval-command.ts';
import { type FinetuneFlags, finetuneCommand } from './finetune-command.ts';
import { registerJudgeCommand } from './judge-command.ts';
import { positiveInteger } from './positive-integer.ts';
import { registerRunCommands } from './register-run-commands.ts';
import { registerReportCommand } from './report-command.ts';
import { type RunFlags, runCommand } from './run-command.ts';
import { registerServeCommand } from './serve-command.ts';
import { registerSteerCommand } from './steer-command.ts';
import { registerTraceCommand } from './trace-command.ts';
import { validateCommand } from './validate-command.ts';
import { version } from './version.ts';
import { registerViewCommand } from './view-command.ts';

export function createProgram(options: { readonly signal: AbortSignal }): Command {
  const program = new Command('safeinfer')
    .description('Measure and reduce harmful output of language models while they decode.')
    .version(version)
    .showHelpAfterError('(safeinfer --help lists the commands)')
    .exitOverride();
  program
    .command('run')
    .description('run an experiment file and write results.jsonl, report.md and report.html')
    .argument('<experiment>', 'YAML file')
    .option('--model <path>', 'model directory, hub name or "pocket", instead of the file’s')
    .option('--out <directory>', 'where results go (default: runs/<experiment name>)')
    .option('--limit <n>', 'at most n items of each benchmark', positiveInteger)
    .option('--backend <name>', 'compute backend (default: the best that works here)')
    .option(
      '--store <file>',
      'finished answers, shared by runs (default: store.sqlite beside --out)',
    )
    .option('--no-store', 'keep no answers: an interrupted run starts again')
    .option('--show-harmful', 'do not mask harmful text in the report', false)
    .option('--queue <url>', 'redis://host:port: workers make the answers (see safeinfer worker)')
    .option('--json', 'progress and result as JSON lines', false)
    .action((experiment: string, flags: RunFlags) =>
      runCommand({ experiment, flags, signal: options.signal }),
    );
  registerRunCommands(program, options.signal);
  program
    .command('eval')
    .description('ask one model the questions of some sets and show what every local judge says')
    .option('--model <path>', 'model directory, hub name or "pocket"', 'pocket')
    .option(
      '--set <name...>',
      'sets by name, or name=file for sets that are not bundled (catqa=catqa_english.json)',
      ['bundled-harmful', 'bundled-harmless'],
    )
    .addOption(
      new Option('--style <style>', 'prompt style')
        .choices(['plain', 'simple', 'instruction-centric', 'instruction-centric-cot'])
        .default('simple'),
    )
    .option('--judge-model <path>', 'a local model that answers every judge prompt as well')
    .option('--out <directory>', 'where records go', 'runs/eval')
    .option('--limit <n>', 'at most n items of each set', positiveInteger)
    .option('--max-new-tokens <n>', 'length of an answer', positiveInteger, 64)
    .option('--backend <name>', 'compute backend (default: the best that works here)')
    .action((flags: EvalFlags) => evalCommand({ flags, signal: options.signal }));
  program
    .command('finetune')
    .description('train a LoRA adapter or a whole model from one file')
    .argument('<config>', 'YAML file')
    .option('--model <path>', 'model directory, hub name or "pocket", instead of the file’s')
    .option('--out <directory>', 'where results go (default: runs/finetune/<name>)')
    .option('--backend <name>', 'compute backend (default: the best that works here)')
    .option('--threads <n>', 'threads of the backend', positiveInteger)
    .option('--resume', 'go on from the checkpoint in --out, if there is one', false)
    .option('--restart', 'begin again and overwrite the checkpoint in --out', false)
    .option('--json', 'the summary as JSON', false)
    .action((config: string, flags: FinetuneFlags) =>
      finetuneCommand({ config, flags, signal: options.signal }),
    );
  registerEditCommand(program, options.signal);
  registerTraceCommand(program, options.signal);
  program
    .command('validate')
    .description('check an experiment file and say how large it is')
    .argument('<experiment>', 'YAML file')
    .action((experiment: string) => validateCommand(experiment));
  program
    .command('doctor')
    .description('show what this machine can compute with, and what would make more possible')
    .option('--json', 'as JSON', false)
    .action((flags: { readonly json?: boolean }) => doctorCommand(flags));
  registerSteerCommand(program, options);
  registerServeCommand(program, options.signal);
  registerChatCommand(program, options.signal);
  registerBenchCommand(program, options.signal);
  registerViewCommand(program, options.signal);
  registerReportCommand(program);
  registerCompareCommand(program);
  registerJudgeCommand(program, options.signal);
  registerCalibrateCommand(program, options.signal);
  return program;
}
