// Runs an experiment: every answer into the store, then one judged record an item.
import type { TermSources } from '../arms/term-sources.ts';
import type { MomentFiles } from '../edit/moment-files.ts';
import type { OpenModel } from '../model/open-model.ts';
import type { Measured } from '../plan/estimate.ts';
import type { ExperimentPlan } from '../plan/plan-experiment.ts';
import type { ProgressUpdate } from '../progress/progress-line.ts';
import type { WorkQueue } from '../queue/work-queue.ts';
import type { Store } from '../store/open-store.ts';
import { type AsrSoFar, asrCounter } from './asr-so-far.ts';
import { openJudges } from './experiment-judges.ts';
import { failureBudget } from './failure-budget.ts';
import { type ArmVector, generateAnswers } from './generate-answers.ts';
import { judgeAnswers } from './judge-answers.ts';
import type { TrialRecord } from './trial-record.ts';

export interface RunOutcome {
  readonly notes: readonly { readonly what: string; readonly text: string }[];
  readonly vectors: readonly ArmVector[];
  /** Keys of vectors and edits that the run used. */
  readonly keys: readonly string[];
  readonly failed: number;
  readonly measured: Measured;
}

export async function runExperiment(options: {
  readonly plan: ExperimentPlan;
  readonly opened: OpenModel;
  readonly sources: TermSources;
  readonly momentFiles: MomentFiles;
  readonly store: Store;
  readonly queue: WorkQueue;
  /** Of the run. */
  readonly directory: string;
  readonly signal: AbortSignal;
  readonly onProgress: (update: ProgressUpdate & { readonly asr?: AsrSoFar | undefined }) => void;
  readonly onRecord: (record: TrialRecord) => void;
}): Promise<RunOutcome> {
  const { plan, opened, store, signal, onProgress } = options;
  const { experiment, trials: total } = plan;
  const asr = asrCounter(experiment);
  let done = 0;
  const answers = await generateAnswers({
    ...options,
    failures: failureBudget(experiment, total),
    onUnit: (unit, cell) => {
      done += unit.trials.length;
      asr.add(unit, cell, store);
      const current = asr.current();
      const edit = plan.edits[cell.edit]!.name;
      const arm = plan.arms[cell.arm]!.arm.name;
      onProgress({
        phase: 'generate',
        done,
        total,
        note: [`${edit} · ${arm} · ${cell.benchmark.style.id}`, ...asrNote(current)].join(' · '),
        asr: current,
      });
    },
  });
  using judging = await openJudges({ experiment, opened, store, signal });
  let judged = 0;
  let failed = 0;
  for await (const record of judgeAnswers({ plan, judges: judging.judges, store, signal })) {
    judged += 1;
    if (record.failure !== undefined) failed += 1;
    options.onRecord(record);
    onProgress({ phase: 'judge', done: judged, total });
  }
  return { ...answers, failed };
}

function asrNote(asr: AsrSoFar | undefined): string[] {
  if (!asr) return [];
  const percent = (x: number): string => (100 * x).toFixed(1);
  return [`ASR so far ${percent(asr.value)} % [${percent(asr.low)}, ${percent(asr.high)}]`];
}
