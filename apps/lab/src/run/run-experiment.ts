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
import { armIdentity } from '../arms/arm-identity.ts';
import { type BuiltArm, buildArm } from '../arms/build-plan.ts';
import { armDemonstrations } from '../arms/demonstrations.ts';
import { createUnsafeTwins } from '../arms/unsafe-twins.ts';
import type { Benchmark } from '../benchmarks/benchmark.ts';
import { loadBenchmark } from '../benchmarks/load-benchmark.ts';
import { isCorrect, outcomeOf } from '../benchmarks/outcome.ts';
import { version } from '../cli/version.ts';
import type { Experiment } from '../config/experiment-schema.ts';
import { applyEdit, editRequests } from '../edits/apply-edit.ts';
import { pocketRefusals } from '../judges/pocket-refusals.ts';
import { hasChatTemplate } from '../model/has-chat-template.ts';
import type { OpenModel } from '../model/open-model.ts';
import type { ProgressUpdate } from '../progress/progress-line.ts';
import type { Store } from '../store/open-store.ts';
import { storedGenerate } from '../store/stored-generate.ts';
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
  readonly backend: string;
  readonly store: Store | undefined;
  readonly signal: AbortSignal;
  readonly onProgress: (update: ProgressUpdate) => void;
  readonly onRecord: (record: TrialRecord) => void;
}): Promise<RunOutcome> {
  const { experiment, experimentFile, opened, backend, store, signal, onProgress } = options;
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
  const plannedEdits = experiment.edits.map((edit) => ({
    edit,
    requests: editRequests(edit, experimentFile),
  }));
  const plannedArms = experiment.arms.map((arm) => ({
    arm,
    demonstrations: armDemonstrations(arm, experimentFile),
  }));
  for (const { edit, requests } of plannedEdits) {
    using applied = await applyEdit({ edit, requests, model, signal, onProgress });
    notes.push(...applied.notes.map((text) => ({ what: `edit ${edit.name}`, text })));
    const { rome } = edit;
    const modelIdentity = { model: opened.sha256, backend, rome, requests, version };
    for (const { arm, demonstrations } of plannedArms) {
      const built = await buildArm({
        arm,
        model,
        twins,
        demonstrations,
        modelIdentity,
        store,
        seed: experiment.seed,
        signal,
        onProgress,
      });
      notes.push(...built.notes.map((text) => ({ what: `${edit.name} / ${arm.name}`, text })));
      const identity = armIdentity({
        modelSha256: opened.sha256,
        backend,
        edit,
        editRequests: requests,
        arm,
        demonstrations,
        twinSha256: arm.guide && twins.sha256(arm.guide.safeInfer.unsafe),
        seed: experiment.seed,
        version,
      });
      for (const benchmark of benchmarks) {
        for await (const record of judged({
          built,
          identity,
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
  readonly identity: string;
  readonly store: Store | undefined;
  readonly benchmark: Benchmark;
  readonly judge: Judge;
  readonly model: Transformer;
  readonly experiment: Experiment;
  readonly signal: AbortSignal;
}): AsyncGenerator<JudgedTrial> {
  const { built, benchmark, experiment } = options;
  const { maxNewTokens, batchSize, seed } = experiment;
  const { store, identity } = options;
  const direct = armGenerate({
    plan: built.plan,
    hasChatTemplate: hasChatTemplate(options.model),
    maxNewTokens,
    batchSize,
  });
  const records = evaluate({
    generate: store ? storedGenerate({ generate: direct, identity, store }) : direct,
    // Part of the request, and so of the key of a stored answer.
    sampling: { temperature: 0, maxNewTokens },
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
