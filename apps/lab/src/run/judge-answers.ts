// The second half of a run: every stored answer judged, in the order of the plan.
import { evaluate, type Judge } from '@safeinfer/harmeval';
import type { ArmAnswer } from '../arms/arm-generate.ts';
import { prependSystem, withArmSystemPrompt } from '../arms/system-prompt.ts';
import type { ExperimentPlan } from '../plan/plan-experiment.ts';
import { answerKeys } from '../store/answer-key.ts';
import type { Store } from '../store/open-store.ts';
import { storedGenerate } from '../store/stored-generate.ts';
import { toRecord } from './to-record.ts';
import type { TrialRecord } from './trial-record.ts';

/** Answers read at once: string judges take hundreds, and model judges batch by themselves. */
const READ_AT_ONCE = 64;

export async function* judgeAnswers(options: {
  readonly plan: ExperimentPlan;
  readonly judges: readonly Judge[];
  readonly store: Store;
  readonly signal: AbortSignal;
}): AsyncGenerator<TrialRecord, void, undefined> {
  const { plan, judges, store, signal } = options;
  for (const { edit, arm, benchmark, repeat, seed, context } of plan.cells) {
    const { arm: config, repeats } = plan.arms[arm]!;
    const records = evaluate({
      generate: withArmSystemPrompt(
        storedGenerate({ context, store, batchSize: READ_AT_ONCE }),
        config.systemPrompt,
      ),
      dataset: benchmark.dataset,
      style: benchmark.style,
      judges,
      seed,
      retry: { retries: 0, attemptTimeoutMs: 0 },
      signal,
    });
    for await (const trial of records) {
      if (trial.type !== 'trial') continue;
      const keys = answerKeys(context, prependSystem(trial.prompt, config.systemPrompt));
      const key = keys.find((one) => store.has(one)) ?? keys[0]!;
      const answer =
        plan.experiment.record === 'tokens' ? (store.get(key) as ArmAnswer | undefined) : undefined;
      const { fact } = plan.edits[edit]!;
      yield toRecord({
        trial,
        arm: config.name,
        edit: plan.edits[edit]!.name,
        benchmark,
        fact: fact?.name,
        repeat:
          fact === undefined ? (repeats > 1 ? repeat : undefined) : fact.index * repeats + repeat,
        severalJudges: judges.length > 1,
        key,
        tokens: answer?.tokens,
      });
    }
  }
}
