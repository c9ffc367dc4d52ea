// One run from start to end in its directory: what `run`, `resume` and `retry` have in common.
import { createTermSources } from '../arms/term-sources.ts';
import { version } from '../cli/version.ts';
import { createMomentFiles } from '../edit/moment-files.ts';
import { checkEdits } from '../edits/check-edits.ts';
import { chooseBackend } from '../model/choose-backend.ts';
import { openModel } from '../model/open-model.ts';
import { rateName } from '../plan/estimate.ts';
import { planExperiment } from '../plan/plan-experiment.ts';
import { createProgressFile } from '../progress/progress-file.ts';
import type { ProgressLine } from '../progress/progress-line.ts';
import { createStoreQueue } from '../queue/store-queue.ts';
import { openStore, type Store } from '../store/open-store.ts';
import { usesOf } from '../store/uses.ts';
import { checkAgainstModel } from './check-against-model.ts';
import { experimentJson, type SavedRun } from './experiment-file.ts';
import { checkJudges } from './experiment-judges.ts';
import { headsFile, headsName } from './heads-json.ts';
import { occupyDirectory } from './occupy-directory.ts';
import type { RunDirectory } from './run-directory.ts';
import { runExperiment } from './run-experiment.ts';
import type { TrialRecord } from './trial-record.ts';
import { type RunReport, writeRunReport } from './write-run-report.ts';

export interface FinishedRun extends RunReport {
  /** Items without an answer, and answers without a verdict. */
  readonly failed: number;
  readonly unscored: number;
}

export async function runSession(options: {
  readonly run: SavedRun;
  readonly directory: RunDirectory;
  readonly showHarmful: boolean;
  readonly progress: ProgressLine;
  /** redis://…: workers elsewhere make the answers. */
  readonly queue?: string | undefined;
  /** Before anything runs: `retry` forgets failures here. */
  readonly prepare?: ((store: Store) => void) | undefined;
  readonly signal: AbortSignal;
}): Promise<FinishedRun> {
  const { run, directory, progress, signal } = options;
  const { experiment, experimentFile } = run;
  checkJudges(experiment);
  using _ = occupyDirectory(directory.path);
  const backend = await chooseBackend({ backend: run.backend });
  using store = openStore(run.store ?? ':memory:');
  options.prepare?.(store);
  using opened = await openModel({ name: experiment.model, store, signal });
  checkAgainstModel({ experiment, experimentFile, model: opened.model });
  using sources = createTermSources({ experimentFile, store, signal });
  const plan = await planExperiment({
    experiment,
    experimentFile,
    limit: run.limit,
    modelSha256: opened.sha256,
    backend: backend.name,
    sources,
  });
  const momentFiles = createMomentFiles();
  await checkEdits({ edits: plan.edits, model: opened.model, momentFiles });
  directory.write(
    'experiment.json',
    experimentJson({ run, directory: directory.path, backend, model: opened }),
  );
  const uses = usesOf(store, directory.path);
  uses.begin(firstKeys(plan));
  const live = createProgressFile(directory);
  const lines = directory.lines('results.jsonl');
  const records: TrialRecord[] = [];
  try {
    await using queue =
      options.queue === undefined
        ? createStoreQueue({ store, signal })
        : await (await import('../queue/redis-queue.ts')).createRedisQueue({
            url: options.queue,
            store,
            run: {
              experiment,
              experimentFile,
              modelSha256: opened.sha256,
              backend: backend.name,
              version,
            },
            signal,
          });
    const outcome = await runExperiment({
      plan,
      opened,
      sources,
      momentFiles,
      store,
      queue,
      directory: directory.path,
      signal,
      onProgress: ({ asr, ...update }) => {
        progress.update(update);
        live.update({ ...update, asr });
      },
      onRecord: (record) => {
        lines.add(JSON.stringify(record));
        // Reports are about outcomes: tokens stay on disk.
        const { tokens: _, ...rest } = record;
        records.push(rest);
      },
    });
    uses.add([...outcome.keys, ...records.flatMap(({ key }) => (key === undefined ? [] : [key]))]);
    lines.finish();
    const { rows, seconds } = outcome.measured;
    if (rows > 0)
      store.remember(rateName(opened.sha256, backend.name), { rowsPerSecond: rows / seconds });
    for (const { edit, arm, vector } of outcome.vectors) {
      const { name, fact } = plan.edits[edit]!;
      const state = fact === undefined ? name : `${name} ${fact.name}`;
      const names = { arm: plan.arms[arm]!.arm.name, edit: state };
      const amplification = plan.arms[arm]!.arm.steer?.safetyAmplification;
      const file = headsFile({
        model: opened,
        ...names,
        shape: opened.model.config,
        vector,
        prompts: amplification?.effectPrompts ?? DEFAULT_EFFECT_PROMPTS,
        seed: experiment.seed,
      });
      directory.write(
        headsName(names.arm, names.edit, plan.edits.length),
        `${JSON.stringify(file)}\n`,
      );
    }
    const report = await writeRunReport({
      run,
      plan,
      records,
      notes: outcome.notes,
      directory,
      backend: backend.name,
      model: opened,
      showHarmful: options.showHarmful,
    });
    live.end('done');
    return {
      ...report,
      failed: outcome.failed,
      unscored: records.filter(({ outcome }) => outcome === 'unscored').length,
    };
  } catch (error) {
    lines.abandon();
    live.end(signal.aborted ? 'interrupted' : 'failed');
    throw error;
  } finally {
    progress.end();
  }
}

/** Of safety amplification, where the file gives no number. */
const DEFAULT_EFFECT_PROMPTS = 25;

function* firstKeys(plan: Awaited<ReturnType<typeof planExperiment>>): Generator<string> {
  for (const cell of plan.cells)
    for (const unit of plan.unitsOf(cell)) for (const keys of unit.keys) yield keys[0]!;
}
