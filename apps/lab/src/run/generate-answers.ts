// The first half of a run: every answer of the plan into the store, edit by edit and arm by arm.
import { join } from 'node:path';
import type { Generate } from '@safeinfer/harmeval';
import { armGenerate } from '../arms/arm-generate.ts';
import { type BuiltArm, buildArm } from '../arms/build-arm.ts';
import type { TermSources } from '../arms/term-sources.ts';
import type { Experiment } from '../config/experiment-schema.ts';
import { statisticsOf } from '../edit/edit-statistics.ts';
import type { MomentFiles } from '../edit/moment-files.ts';
import { applyEdit } from '../edits/apply-edit.ts';
import { momentsName } from '../edits/moments-name.ts';
import { hasChatTemplate } from '../model/has-chat-template.ts';
import type { OpenModel } from '../model/open-model.ts';
import { type Measured, termsOf } from '../plan/estimate.ts';
import type { PlannedArm } from '../plan/plan-arms.ts';
import type { Cell, ExperimentPlan } from '../plan/plan-experiment.ts';
import { runUnit } from '../plan/run-unit.ts';
import type { Unit } from '../plan/unit.ts';
import type { ProgressUpdate } from '../progress/progress-line.ts';
import type { WorkQueue } from '../queue/work-queue.ts';
import type { Store } from '../store/open-store.ts';
import type { BuiltVector } from '../store/stored-vector.ts';
import type { FailureBudget } from './failure-budget.ts';

export interface ArmVector {
  readonly edit: number;
  readonly arm: number;
  readonly vector: BuiltVector;
}

export interface GeneratedAnswers {
  /** What was edited and built along the way. */
  readonly notes: readonly { readonly what: string; readonly text: string }[];
  readonly vectors: readonly ArmVector[];
  /** Keys of vectors and edits. */
  readonly keys: readonly string[];
  /** At most: answers that end early count as long ones, as they do in an estimate. */
  readonly measured: Measured;
}

export async function generateAnswers(options: {
  readonly plan: ExperimentPlan;
  readonly opened: OpenModel;
  readonly sources: TermSources;
  readonly momentFiles: MomentFiles;
  readonly store: Store;
  readonly queue: WorkQueue;
  readonly failures: FailureBudget;
  /** Of the run: statistics that are collected from texts stay there. */
  readonly directory: string;
  readonly signal: AbortSignal;
  readonly onProgress: (update: ProgressUpdate) => void;
  /** A unit's answers are in the store. */
  readonly onUnit: (unit: Unit, cell: Cell) => void;
}): Promise<GeneratedAnswers> {
  const { plan, opened, store, queue, failures, signal, onProgress } = options;
  const { model } = opened;
  const { experimentFile, experiment } = plan;
  const notes: { what: string; text: string }[] = [];
  const vectors: ArmVector[] = [];
  const keys: string[] = [];
  const measured: Measured = { rows: 0, seconds: 0 };
  const statistics = statisticsOf({
    model,
    modelSha256: opened.sha256,
    momentFiles: options.momentFiles,
    checkpoint: (settings) => join(options.directory, momentsName(settings)),
    signal,
    onProgress,
  });
  for (const [edit, planned] of plan.edits.entries()) {
    using applied = await applyEdit({
      edit: planned,
      model,
      identity: plan.baseIdentity,
      statistics,
      store,
      signal,
      onProgress,
    });
    keys.push(...applied.keys);
    notes.push(...applied.notes.map((text) => ({ what: `edit ${planned.name}`, text })));
    for (const [arm, { arm: config, demonstrations }] of plan.arms.entries()) {
      const built = await buildArm({
        arm: config,
        model,
        sources: options.sources,
        demonstrations,
        modelIdentity: plan.modelIdentity(edit),
        experimentFile,
        store,
        seed: experiment.seed,
        signal,
        onProgress,
      });
      const what = `${planned.name} / ${config.name}`;
      keys.push(...built.keys);
      notes.push(...built.notes.map((text) => ({ what, text })));
      if (built.vector) vectors.push({ edit, arm, vector: built.vector });
      for (const cell of plan.cells) {
        if (cell.edit !== edit || cell.arm !== arm) continue;
        const generate = cellGenerate({ plan, built, cell, opened });
        await queue.offer({
          units: plan.unitsOf(cell),
          needs: [...applied.keys, ...built.keys],
          work: async (unit) => {
            const from = performance.now();
            const { systemPrompt } = config;
            const made = await runUnit({ unit, generate, systemPrompt, store, signal });
            measured.seconds += (performance.now() - from) / 1000;
            measured.rows += unit.trials.length * experiment.maxNewTokens * termsOf(plan, arm);
            return made;
          },
          onDone: (unit, made) => {
            if (made) failures.count(made);
            options.onUnit(unit, cell);
          },
        });
      }
    }
  }
  await queue.finish();
  return { notes: once(notes), vectors, keys, measured };
}

/** What is the same for many facts is said once. */
function once<T extends { readonly what: string; readonly text: string }>(
  notes: readonly T[],
): T[] {
  return [...new Map(notes.map((note) => [`${note.what}\n${note.text}`, note])).values()];
}

/** The generator of one cell: its arm's plan under its sampling and seed. */
export function cellGenerate(options: {
  readonly plan: {
    readonly experiment: Experiment;
    readonly arms: readonly Pick<PlannedArm, 'sampling'>[];
  };
  readonly built: BuiltArm;
  readonly cell: Pick<Cell, 'arm' | 'context'>;
  readonly opened: OpenModel;
}): Generate {
  const { plan, built, cell, opened } = options;
  const { experiment, arms } = plan;
  const { n: _, seed: __, stop, ...sampling } = arms[cell.arm]!.sampling;
  const drawn = Object.fromEntries(
    Object.entries(sampling).filter(([, value]) => value !== undefined),
  );
  return armGenerate({
    plan: built.plan,
    hasChatTemplate: hasChatTemplate(opened.model),
    maxNewTokens: experiment.maxNewTokens,
    batchSize: experiment.batchSize,
    sampling: drawn,
    stop,
    seed: cell.context.seed ?? undefined,
    record: experiment.record,
    unsteered: built.steered ? opened.model : undefined,
  });
}
