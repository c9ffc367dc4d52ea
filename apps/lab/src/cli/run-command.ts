// `safeinfer run`: checks everything, runs, writes the run directory and its report, prints the table.
import { join, relative, resolve } from 'node:path';
import { loadExperimentFile } from '../config/load-experiment.ts';
import { EXIT } from '../errors/exit-code.ts';
import { createProgressEvents } from '../progress/progress-events.ts';
import { createProgressLine } from '../progress/progress-line.ts';
import type { SavedRun } from '../run/experiment-file.ts';
import { openRunDirectory } from '../run/run-directory.ts';
import { type FinishedRun, runSession } from '../run/run-session.ts';
import { flagsText } from './flags-text.ts';

export interface RunFlags {
  readonly model?: string;
  readonly out?: string;
  readonly limit?: number;
  readonly backend?: string;
  readonly showHarmful?: boolean;
  /** File of finished answers; false with --no-store. */
  readonly store?: string | false;
  readonly json?: boolean;
  /** redis://…: workers elsewhere make the answers. */
  readonly queue?: string;
}

export async function runCommand(options: {
  readonly experiment: string;
  readonly flags: RunFlags;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { flags, signal } = options;
  const { experiment, models } = loadExperimentFile(options.experiment);
  const chosen =
    flags.model === undefined ? models : [{ name: models[0]!.name, path: flags.model }];
  const out = flags.out ?? `runs/${experiment.name.replaceAll(/\s+/g, '-')}`;
  // Every directory is opened before the first model: a full disk shows at once.
  const runs = chosen.map(({ name, path }) => ({
    path,
    directory: openRunDirectory(chosen.length > 1 ? `${out}@${name}` : out),
  }));
  for (const { path, directory } of runs) {
    const store =
      flags.store === false
        ? undefined
        : resolve(flags.store ?? join(directory.path, '..', 'store.sqlite'));
    const run: SavedRun = {
      experiment: { ...experiment, model: path },
      experimentFile: resolve(options.experiment),
      limit: flags.limit,
      backend: flags.backend,
      store,
      command: reproduce(options.experiment, {
        ...flags,
        ...(chosen.length > 1 ? { model: path } : {}),
      }),
    };
    await finishRun({ run, directory, flags, signal });
  }
}

/** Runs and says what came out; the exit code tells of items without an answer. */
export async function finishRun(
  options: Pick<Parameters<typeof runSession>[0], 'run' | 'directory' | 'prepare' | 'signal'> & {
    readonly flags: Pick<RunFlags, 'json' | 'queue' | 'showHarmful'>;
  },
): Promise<void> {
  const { flags, directory } = options;
  const started = performance.now();
  const finished = await runSession({
    ...options,
    showHarmful: flags.showHarmful ?? false,
    queue: flags.queue,
    progress: flags.json ? createProgressEvents() : createProgressLine(),
  });
  if (finished.failed > 0) process.exitCode = EXIT.partial;
  const seconds = (performance.now() - started) / 1000;
  process.stdout.write(
    flags.json ? doneEvent(finished, directory.path) : summary(finished, seconds),
  );
}

function doneEvent(finished: FinishedRun, directory: string): string {
  const { html: report, failed, unscored } = finished;
  return `${JSON.stringify({ event: 'done', directory, report, failed, unscored })}\n`;
}

function summary(finished: FinishedRun, seconds: number): string {
  const { table, limits, failed, html } = finished;
  const missing =
    failed > 0 ? `\n${failed} items have no answer: \`safeinfer retry\` tries them again\n` : '';
  return `\n${table}\n\n${limits.map((limit) => `- ${limit}\n`).join('')}${missing}\n${seconds.toFixed(0)} s; report: ${relative('.', html)}\n`;
}

function reproduce(experiment: string, { model, limit, backend }: RunFlags): string {
  return `safeinfer run ${experiment}${flagsText({ model, limit, backend })}`;
}
