// Multiple choice by log-likelihood: MMLU, ARC, and TruthfulQA's MC1 and MC2.
import type { LogLikelihood } from './log-likelihood.ts';
import { scoreRequests } from './score-requests.ts';

export interface ChoiceItem {
  readonly id: string;
  /** Subject or category. */
  readonly category: string;
  readonly question: string;
  readonly choices: readonly string[];
  /** Index of the right choice. */
  readonly answer: number;
}

export interface ChoiceResult {
  readonly id: string;
  readonly category: string;
  /** Index of the choice with the highest log-likelihood; the first of equals. */
  readonly chosen: number;
  readonly correct: boolean;
  readonly logProbs: readonly number[];
}

export interface ChoiceScore {
  readonly results: readonly ChoiceResult[];
  /** Share of right items: every item counts the same. */
  readonly micro: number;
  /** Mean over categories of their shares: every category counts the same. */
  readonly macro: number;
}

/** How an item is put to the model: the text before, and one continuation per choice. */
export interface ChoicePrompt {
  readonly context: string;
  readonly continuations: readonly string[];
}

export interface ScoreChoicesOptions {
  readonly items: readonly ChoiceItem[];
  readonly prompt: (item: ChoiceItem) => ChoicePrompt;
  readonly logLikelihood: LogLikelihood;
  /** `sum` (MMLU), or `perCharacter` (ARC's length-normalised accuracy). Default `sum`. */
  readonly normalise?: 'sum' | 'perCharacter';
  readonly signal?: AbortSignal;
}

/** Scores every choice of every item and takes the most likely one. */
export async function scoreChoices(options: ScoreChoicesOptions): Promise<ChoiceScore> {
  const { items, prompt, logLikelihood, normalise = 'sum', signal } = options;
  const prompts = items.map(prompt);
  const scores = await scoreRequests(
    logLikelihood,
    prompts.flatMap(({ context, continuations }) =>
      continuations.map((continuation) => ({ context, continuation })),
    ),
    signal,
  );
  let at = 0;
  const results = items.map((item, i) => {
    const continuations = prompts[i]?.continuations ?? [];
    const logProbs = continuations.map((text) => {
      const { logProb } = scores[at++] ?? { logProb: Number.NEGATIVE_INFINITY };
      return normalise === 'sum' ? logProb : logProb / text.length;
    });
    const chosen = indexOfMaximum(logProbs);
    return {
      id: item.id,
      category: item.category,
      chosen,
      correct: chosen === item.answer,
      logProbs,
    };
  });
  return { results, ...shares(results) };
}

export function indexOfMaximum(values: readonly number[]): number {
  return values.reduce((best, value, i) => (value > (values[best] ?? -Infinity) ? i : best), 0);
}

function shares(results: readonly ChoiceResult[]): { micro: number; macro: number } {
  const categories = new Map<string, { right: number; all: number }>();
  for (const { category, correct } of results) {
    const entry = categories.get(category) ?? { right: 0, all: 0 };
    entry.all += 1;
    entry.right += correct ? 1 : 0;
    categories.set(category, entry);
  }
  const right = results.filter(({ correct }) => correct).length;
  const means = [...categories.values()].map((entry) => entry.right / entry.all);
  return {
    micro: right / results.length,
    macro: means.reduce((sum, mean) => sum + mean, 0) / means.length,
  };
}
