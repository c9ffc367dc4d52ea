// Everything about a run that is known before a model computes: sets, arms, edits, and what decides each answer.
import { deriveSeed } from '@safeinfer/harmeval';
import type { Benchmark } from '../benchmarks/benchmark.ts';
import { loadBenchmark } from '../benchmarks/load-benchmark.ts';
import type { AnswerContext } from '../store/answer-key.ts';
import { type ArmPlan, planArms } from './plan-arms.ts';
import { type Unit, unitsOf } from './unit.ts';

/** One arm on one edit and one benchmark, with one seed. */
export interface Cell {
  readonly edit: number;
  readonly arm: number;
  readonly benchmark: Benchmark;
  readonly repeat: number;
  /** Of the run and the repeat: draws what a style leaves to chance. */
  readonly seed: number;
  readonly context: AnswerContext;
}

export interface ExperimentPlan extends ArmPlan {
  readonly benchmarks: readonly Benchmark[];
  /** In the order of the records. */
  readonly cells: readonly Cell[];
  readonly trials: number;
  unitsOf(cell: Cell): Unit[];
}

/** @throws what is wrong with data or files, before anything runs. */
export async function planExperiment(
  options: Parameters<typeof planArms>[0] & { readonly limit?: number | undefined },
): Promise<ExperimentPlan> {
  const { experiment, experimentFile, limit } = options;
  const benchmarks = await Promise.all(
    experiment.prompts.flatMap((style) =>
      experiment.benchmarks.map((config) =>
        loadBenchmark({ config, style, experimentFile, limit }),
      ),
    ),
  );
  const planned = await planArms(options);
  const { edits, arms } = planned;
  const cells = edits.flatMap((_, edit) =>
    arms.flatMap(({ repeats }, arm) =>
      Array.from({ length: repeats }, (__, repeat) => repeat).flatMap((repeat) => {
        const context = planned.contextOf(edit, arm, repeat);
        return benchmarks.map(
          (benchmark): Cell => ({
            edit,
            arm,
            benchmark,
            repeat,
            seed: repeat === 0 ? experiment.seed : deriveSeed({ seed: experiment.seed, repeat }),
            context,
          }),
        );
      }),
    ),
  );
  return {
    ...planned,
    benchmarks,
    cells,
    trials: cells.reduce((sum, { benchmark }) => sum + benchmark.dataset.items.length, 0),
    unitsOf: ({ edit, arm, benchmark, seed, context }) =>
      unitsOf({
        edit,
        arm,
        systemPrompt: arms[arm]!.arm.systemPrompt,
        context,
        benchmark,
        batchSize: experiment.batchSize,
        seed,
      }),
  };
}
