// CounterFact's metrics as the original code defines them (kmeng01/rome eval_utils_counterfact, MEMIT's accuracy).
import type { Transformer } from '@safeinfer/transformer';
import { encode, encodeTarget } from '../request/lookup-index.ts';
import { type ScoreOptions, scoreTargets, type TargetItem } from './score-targets.ts';

/** Prompts as text (special tokens as the tokenizer adds them) or token ids; targets without special tokens. */
export interface CounterFactCase {
  readonly id?: string;
  readonly targetNew: string | readonly number[];
  readonly targetTrue: string | readonly number[];
  readonly rewrite: readonly (string | readonly number[])[];
  readonly paraphrase: readonly (string | readonly number[])[];
  /** Other subjects that share the true object: they must keep it. */
  readonly neighborhood: readonly NeighborhoodPrompt[];
}

/** A prompt; with `targetTrue` when its right object is not the edited fact's own. */
export type NeighborhoodPrompt =
  | string
  | readonly number[]
  | {
      readonly prompt: string | readonly number[];
      readonly targetTrue: string | readonly number[];
    };

export interface PromptScore {
  readonly nllNew: number;
  readonly nllTrue: number;
  /** The wanted object is strictly likelier: a tie is a failure. */
  readonly success: boolean;
  /** exp(-nll) of the wanted object minus that of the other. */
  readonly magnitude: number;
  /** Every token of the wanted object is the argmax under teacher forcing. */
  readonly accuracy: boolean;
}

export interface CaseScores {
  readonly id?: string;
  readonly rewrite: readonly PromptScore[];
  readonly paraphrase: readonly PromptScore[];
  readonly neighborhood: readonly PromptScore[];
}

/** Fractions, not percent: mean within a case, then over cases that have such prompts. Absent where none has any. */
export interface CounterFactSummary {
  readonly efficacyScore?: number;
  readonly efficacyMagnitude?: number;
  readonly efficacyAccuracy?: number;
  readonly paraphraseScore?: number;
  readonly paraphraseMagnitude?: number;
  readonly paraphraseAccuracy?: number;
  readonly neighborhoodScore?: number;
  readonly neighborhoodMagnitude?: number;
  readonly neighborhoodAccuracy?: number;
  /** Harmonic mean of the three scores, 0 when one is 0; absent when one of them is. */
  readonly score?: number;
}

/** Scores cases on the model as it is: call it with the edit in force, and without for the "before" half. */
export async function scoreCounterFact(
  model: Transformer,
  cases: readonly CounterFactCase[],
  options: ScoreOptions = {},
): Promise<CaseScores[]> {
  const items: TargetItem[] = [];
  for (const one of cases) {
    for (const { prompt, targetTrue } of promptsOf(one)) {
      const ids = typeof prompt === 'string' ? encode(model, prompt) : prompt;
      for (const target of [one.targetNew, targetTrue])
        items.push({ prompt: ids, target: targetIds(model, target) });
    }
  }
  const scores = await scoreTargets(model, items, options);
  let next = 0;
  const score = (wantsNew: boolean): PromptScore => {
    const [fresh, old] = [scores[next++]!, scores[next++]!];
    const [wanted, other] = wantsNew ? [fresh, old] : [old, fresh];
    return {
      nllNew: fresh.nll,
      nllTrue: old.nll,
      success: wanted.nll < other.nll,
      magnitude: Math.exp(-wanted.nll) - Math.exp(-other.nll),
      accuracy: wanted.hits.every(Boolean),
    };
  };
  return cases.map(({ id, rewrite, paraphrase, neighborhood }) => ({
    ...(id === undefined ? {} : { id }),
    rewrite: rewrite.map(() => score(true)),
    paraphrase: paraphrase.map(() => score(true)),
    neighborhood: neighborhood.map(() => score(false)),
  }));
}

export function summariseCounterFact(cases: readonly CaseScores[]): CounterFactSummary {
  const over = (
    part: 'rewrite' | 'paraphrase' | 'neighborhood',
    value: (score: PromptScore) => number,
  ): number | undefined => {
    const own = cases.map((c) => c[part]).filter((scores) => scores.length > 0);
    return own.length === 0 ? undefined : mean(own.map((scores) => mean(scores.map(value))));
  };
  const success = ({ success: won }: PromptScore): number => Number(won);
  const magnitude = (score: PromptScore): number => score.magnitude;
  const accuracy = (score: PromptScore): number => Number(score.accuracy);
  const scores = (['rewrite', 'paraphrase', 'neighborhood'] as const).map((part) =>
    over(part, success),
  );
  return present({
    efficacyScore: scores[0],
    efficacyMagnitude: over('rewrite', magnitude),
    efficacyAccuracy: over('rewrite', accuracy),
    paraphraseScore: scores[1],
    paraphraseMagnitude: over('paraphrase', magnitude),
    paraphraseAccuracy: over('paraphrase', accuracy),
    neighborhoodScore: scores[2],
    neighborhoodMagnitude: over('neighborhood', magnitude),
    neighborhoodAccuracy: over('neighborhood', accuracy),
    score: harmonicMean(scores),
  });
}

/** Zero where one is zero; undefined where one is missing. */
function harmonicMean(values: readonly (number | undefined)[]): number | undefined {
  let sum = 0;
  for (const x of values) {
    if (x === undefined) return undefined;
    sum += 1 / x;
  }
  return values.length / sum;
}

function present(
  values: {
    readonly [K in keyof CounterFactSummary]: number | undefined;
  },
): CounterFactSummary {
  return Object.fromEntries(Object.entries(values).filter(([, x]) => x !== undefined));
}

function promptsOf(one: CounterFactCase): {
  readonly prompt: string | readonly number[];
  readonly targetTrue: string | readonly number[];
}[] {
  const { targetTrue } = one;
  return [
    ...[...one.rewrite, ...one.paraphrase].map((prompt) => ({ prompt, targetTrue })),
    ...one.neighborhood.map((entry) =>
      typeof entry === 'object' && 'prompt' in entry ? entry : { prompt: entry, targetTrue },
    ),
  ];
}

function targetIds(model: Transformer, target: string | readonly number[]): readonly number[] {
  if (typeof target !== 'string') return target;
  return encodeTarget(model, target.startsWith(' ') ? target : ` ${target}`);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, x) => sum + x, 0) / values.length;
}
