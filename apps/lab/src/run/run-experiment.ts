// Runs an experiment: for every edit, every arm, every style, every benchmark, one judged record an item.
import {
  evaluate,
  type Judge,
  type TrialRecord as JudgedTrial,
  type Prompt,
  refusalJudge,
} from '@safeinfer/harmeval';
import type { Transformer } from '@safeinfer/transformer';
import { armGenerate } from '../arms/arm-generate.ts';
import { type BuiltArm, buildArm, type VectorCache } from '../arms/build-plan.ts';
import { createUnsafeTwins } from '../arms/unsafe-twins.ts';
import type { Benchmark } from '../benchmarks/benchmark.ts';
import { loadBenchmark } from '../benchmarks/load-benchmark.ts';
import { isCorrect, outcomeOf } from '../benchmarks/outcome.ts';
import type { Experiment } from '../config/experiment-schema.ts';
import { applyEdit } from '../edits/apply-edit.ts';
import { pocketRefusals } from '../judges/pocket-refusals.ts';
import { hasChatTemplate } from '../model/has-chat-template.ts';
import type { OpenModel } from '../model/open-model.ts';
import type { ProgressUpdate } from '../progress/progress-line.ts';
import { checkAgainstModel } from './check-against-model.ts';
import type { TrialRecord } from './trial-record.ts';

export interface RunOutcome {
  readonly records: readonly TrialRecord[];
  readonly benchmarks: readonly Benchmark[];
  readonly notes: readonly { readonly what: string; readonly text: string }[];
}

export async function runExperiment(options: {
  readonly experiment: Experiment;
  readonly experimentFile: string;
  readonly opened: OpenModel;
  readonly limit?: number | undefined;
  readonly signal: AbortSignal;
  readonly onProgress: (update: ProgressUpdate) => void;
  readonly onRecord: (record: TrialRecord) => void;
}): Promise<RunOutcome> {
  const { experiment, experimentFile, opened, signal, onProgress } = options;
  const { model } = opened;
  checkAgainstModel(experiment, model);
  // Everything that can be wrong with the data shows before the first token is generated.
  const benchmarks = await Promise.all(
    experiment.prompts.flatMap((style) =>
      experiment.benchmarks.map((config) =>
        loadBenchmark({ config, style, experimentFile, limit: options.limit }),
      ),
    ),
  );
  const judge = judgeOf(experiment.judge);
  const perArm = benchmarks.reduce((sum, { dataset }) => sum + dataset.items.length, 0);
  const total = perArm * experiment.arms.length * experiment.edits.length;
  const records: TrialRecord[] = [];
  const notes: { what: string; text: string }[] = [];
  using twins = createUnsafeTwins({ experimentFile, signal });
  for (const edit of experiment.edits) {
    using applied = await applyEdit({ edit, model, experimentFile, signal, onProgress });
    notes.push(...applied.notes.map((text) => ({ what: `edit ${edit.name}`, text })));
    // An edited model has other mean head outputs, so vectors are not carried from one edit to the next.
    const vectors: VectorCache = new Map();
    for (const arm of experiment.arms) {
      const built = await buildArm({
        arm,
        model,
        twins,
        vectors,
        seed: experiment.seed,
        experimentFile,
        signal,
        onProgress,
      });
      notes.push(...built.notes.map((text) => ({ what: `${edit.name} / ${arm.name}`, text })));
      for (const benchmark of benchmarks) {
        for await (const record of judged({
          built,
          benchmark,
          judge,
          model,
          ...options,
        })) {
          const trial = toRecord({ record, arm: arm.name, edit: edit.name, benchmark });
          records.push(trial);
          options.onRecord(trial);
          onProgress({
            phase: 'generate and judge',
            done: records.length,
            total,
            note: `${edit.name} · ${arm.name} · ${benchmark.style.id}`,
          });
        }
      }
    }
  }
  return { records, benchmarks, notes };
}

async function* judged(options: {
  readonly built: BuiltArm;
  readonly benchmark: Benchmark;
  readonly judge: Judge;
  readonly model: Transformer;
  readonly experiment: Experiment;
  readonly signal: AbortSignal;
}): AsyncGenerator<JudgedTrial> {
  const { built, benchmark, experiment } = options;
  const { maxNewTokens, batchSize, seed } = experiment;
  const records = evaluate({
    generate: armGenerate({
      plan: built.plan,
      hasChatTemplate: hasChatTemplate(options.model),
      maxNewTokens,
      batchSize,
    }),
    dataset: benchmark.dataset,
    style: benchmark.style,
    judges: [options.judge],
    seed,
    // A local model fails the same way each time: a retry would only hide the reason.
    retry: { retries: 0, attemptTimeoutMs: 0 },
    maxFailures: 0,
    signal: options.signal,
  });
  for await (const record of records) if (record.type === 'trial') yield record;
}

function toRecord(options: {
  readonly record: JudgedTrial;
  readonly arm: string;
  readonly edit: string;
  readonly benchmark: Benchmark;
}): TrialRecord {
  const { record, arm, edit, benchmark } = options;
  const correct = isCorrect(record, benchmark);
  return {
    schema: 1,
    arm,
    edit,
    style: benchmark.style.id,
    benchmark: benchmark.name,
    itemId: record.item.id,
    category: record.item.category ?? '',
    kind: record.item.label,
    prompt: shownPrompt(record.prompt),
    output: record.response?.text ?? '',
    finishReason: record.response?.finishReason ?? 'failed',
    tokensIn: record.usage.tokensIn ?? 0,
    tokensOut: record.usage.tokensOut ?? 0,
    judge: record.verdicts[0]?.id ?? '',
    outcome: outcomeOf(record, benchmark),
    ...(correct === undefined ? {} : { correct }),
  };
}

function shownPrompt(prompt: Prompt): string {
  return prompt.kind === 'raw'
    ? prompt.text
    : prompt.messages.map(({ content }) => content).join('\n\n');
}

function judgeOf(name: string): Judge {
  return refusalJudge(name === pocketRefusals.name ? pocketRefusals : name);
}
