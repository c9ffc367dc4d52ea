// From a judged trial to one line of results.jsonl.
import type { TrialRecord as JudgedTrial, Prompt } from '@safeinfer/harmeval';
import type { Benchmark } from '../benchmarks/benchmark.ts';
import { isCorrect, outcomeOf, verdictOutcome } from '../benchmarks/outcome.ts';
import type { JudgeVerdict, TokenTrace, TrialRecord } from './trial-record.ts';

export function toRecord(options: {
  readonly trial: JudgedTrial;
  readonly arm: string;
  readonly edit: string;
  readonly benchmark: Benchmark;
  /** Of an edit that writes each fact alone. */
  readonly fact: string | undefined;
  /** Absent when the arm gives one answer an item. */
  readonly repeat: number | undefined;
  readonly severalJudges: boolean;
  readonly key: string;
  readonly tokens: readonly TokenTrace[] | undefined;
}): TrialRecord {
  const { trial, arm, edit, benchmark, repeat, tokens } = options;
  const { item, response } = trial;
  const correct = isCorrect(trial, benchmark);
  return {
    schema: 1,
    arm,
    edit,
    ...(options.fact === undefined ? {} : { fact: options.fact }),
    style: benchmark.style.id,
    benchmark: benchmark.name,
    itemId: item.id,
    ...(item.cluster === item.id ? {} : { itemGroup: item.cluster }),
    ...(repeat === undefined ? {} : { repeat }),
    category: item.category ?? '',
    kind: item.label,
    prompt: shownPrompt(trial.prompt),
    output: response?.text ?? '',
    finishReason: response?.finishReason ?? 'failed',
    ...(trial.failure ? { failure: trial.failure.message } : {}),
    tokensIn: trial.usage.tokensIn ?? 0,
    tokensOut: trial.usage.tokensOut ?? 0,
    judge: trial.verdicts[0]?.id ?? '',
    outcome: outcomeOf(trial, benchmark),
    ...(correct === undefined ? {} : { correct }),
    ...(options.severalJudges ? { verdicts: verdictsOf(trial, benchmark) } : {}),
    key: options.key,
    ...(tokens === undefined ? {} : { tokens }),
  };
}

function verdictsOf(trial: JudgedTrial, benchmark: Benchmark): JudgeVerdict[] {
  return trial.verdicts.map((verdict) => ({
    judge: verdict.id,
    status: verdict.status,
    outcome: verdictOutcome({ verdict, trial, benchmark }),
    ...(verdict.score === null ? {} : { score: verdict.score }),
  }));
}

function shownPrompt(prompt: Prompt): string {
  return prompt.kind === 'raw'
    ? prompt.text
    : prompt.messages.map(({ content }) => content).join('\n\n');
}
