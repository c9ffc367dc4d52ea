// `safeinfer resume` and `retry`: a run goes on from its own directory, with the experiment as it was started.
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { readExperimentJson } from '../run/experiment-file.ts';
import { forgetFailures } from '../run/retry-failed.ts';
import { openRunDirectory } from '../run/run-directory.ts';
import { finishRun, type RunFlags } from './run-command.ts';

type ResumeFlags = Pick<RunFlags, 'json' | 'queue' | 'showHarmful'>;

export function registerResumeCommands(program: Command, signal: AbortSignal): void {
  const describe = (name: string, what: string): Command =>
    program
      .command(name)
      .description(what)
      .argument('<directory>', 'run directory')
      .option('--show-harmful', 'do not mask harmful text in the report', false)
      .option('--queue <url>', 'redis://host:port: workers make the answers')
      .option('--json', 'progress and result as JSON lines', false);
  describe('resume', 'go on with an interrupted run; finished answers are not made again').action(
    (directory: string, flags: ResumeFlags) =>
      finishRun({
        run: readExperimentJson(resolve(directory)),
        directory: openRunDirectory(directory),
        flags,
        signal,
      }),
  );
  describe('retry', 'try items without an answer and answers without a verdict again').action(
    (directory: string, flags: ResumeFlags) =>
      finishRun({
        run: readExperimentJson(resolve(directory)),
        directory: openRunDirectory(directory),
        flags,
        prepare: (store) => {
          const count = forgetFailures(store, resolve(directory));
          process.stderr.write(`${count} items without an answer are tried again\n`);
        },
        signal,
      }),
  );
}
