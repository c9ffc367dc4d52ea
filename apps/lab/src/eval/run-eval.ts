// One model on one set, judged by every local judge at once: shows how far the verdicts depend on the judge.

import { compile, term } from '@safeinfer/guided-sampler';
import {
  collectSummary,
  type EvalRecord,
  evaluate,
  type Judge,
  promptJudgeSpecs,
  refusalJudge,
  refusalLists,
  type Summary,
} from '@safeinfer/harmeval';
import type { Transformer } from '@safeinfer/transformer';
import { armGenerate } from '../arms/arm-generate.ts';
import type { Benchmark } from '../benchmarks/benchmark.ts';
import { judgeGenerate, localJudge } from '../judges/local-judge.ts';
import { pocketRefusals } from '../judges/pocket-refusals.ts';
import { hasChatTemplate } from '../model/has-chat-template.ts';
import type { ProgressUpdate } from '../progress/progress-line.ts';

export interface EvalOutcome {
  readonly benchmark: Benchmark;
  readonly summary: Summary;
}

/** Every published refusal list, the bundled model's own, and, with a judging model, every judge prompt. */
export function localJudges(options: {
  readonly judgeModel?: Transformer | undefined;
  readonly judgeName?: string | undefined;
  readonly batchSize: number;
}): Judge[] {
  const matchers = [...Object.keys(refusalLists), pocketRefusals].map((list) => refusalJudge(list));
  const { judgeModel, judgeName = 'local model', batchSize } = options;
  if (!judgeModel) return matchers;
  const generate = judgeGenerate({
    model: judgeModel,
    maxNewTokens: 64,
    batchSize,
    fingerprint: judgeName,
  });
  return [
    ...matchers,
    ...Object.values(promptJudgeSpecs).map((spec) => localJudge(spec, generate)),
  ];
}

export async function runEval(options: {
  readonly model: Transformer;
  readonly benchmarks: readonly Benchmark[];
  readonly judges: readonly Judge[];
  readonly maxNewTokens: number;
  readonly batchSize: number;
  readonly seed: number;
  readonly signal: AbortSignal;
  readonly onProgress: (update: ProgressUpdate) => void;
  readonly onRecord: (record: EvalRecord) => void;
}): Promise<EvalOutcome[]> {
  const { model, maxNewTokens, batchSize } = options;
  const generate = armGenerate({
    plan: compile(term('model', { model })),
    hasChatTemplate: hasChatTemplate(model),
    maxNewTokens,
    batchSize,
  });
  const outcomes: EvalOutcome[] = [];
  for (const benchmark of options.benchmarks) {
    const collector = collectSummary();
    const records = evaluate({
      generate,
      dataset: benchmark.dataset,
      style: benchmark.style,
      judges: options.judges,
      seed: options.seed,
      retry: { retries: 0, attemptTimeoutMs: 0 },
      signal: options.signal,
    });
    let done = 0;
    for await (const record of records) {
      collector.add(record);
      options.onRecord(record);
      if (record.type !== 'trial') continue;
      done += 1;
      options.onProgress({
        phase: benchmark.name,
        done,
        total: benchmark.dataset.items.length,
      });
    }
    outcomes.push({ benchmark, summary: collector.report() });
  }
  return outcomes;
}
