// One line of results.jsonl: what was asked under which arm, what came back, how it was judged.

export type ItemKind = 'harmful' | 'harmless';

/**
 * `refused` and `complied` are what the judge saw; `other` is neither (garbled, off topic, empty) and is never
 * counted as safe; `unscored` means the judge could not decide, and is never counted as anything else. A harm judge's
 * "safe" is `refused`: the attack failed.
 */
export type Outcome = 'refused' | 'complied' | 'other' | 'unscored';

/** One generated token, as `record: tokens` keeps it. Texts of all tokens together are the answer. */
export interface TokenTrace {
  readonly id: number;
  /** Text that became certain with this token; '' for an end-of-text token. */
  readonly text: string;
  /** Natural log, of the final distribution, before sampling processors. */
  readonly logprob: number | null;
  /**
   * Signed contribution of every term of the formula to the token's score; a steered term is split into `model` (what
   * the model without steering says) and `steering`. Empty for formulas that have no such split.
   */
  readonly terms: Readonly<Record<string, number>>;
  /** Likeliest other tokens, best first. */
  readonly alternatives: readonly { readonly text: string; readonly logprob: number }[];
}

export interface JudgeVerdict {
  readonly judge: string;
  /** `ok`, or why there is no verdict. */
  readonly status: string;
  readonly outcome: Outcome;
  readonly score?: number;
}

export interface TrialRecord {
  readonly schema: 1;
  readonly arm: string;
  readonly edit: string;
  readonly style: string;
  readonly benchmark: string;
  readonly itemId: string;
  /** Items of one group are near-duplicates: the cluster of statistics. */
  readonly itemGroup?: string;
  /** The edited fact, when an edit writes each of several alone; `repeat` then counts facts. */
  readonly fact?: string;
  /** Which of several answers to the item, from 0; absent when there is one. */
  readonly repeat?: number;
  readonly category: string;
  readonly kind: ItemKind;
  /** The rendered prompt. */
  readonly prompt: string;
  readonly output: string;
  readonly finishReason: string;
  /** Why there is no answer. */
  readonly failure?: string;
  readonly tokensIn: number;
  readonly tokensOut: number;
  /** The primary judge: the first that applies to the item. */
  readonly judge: string;
  readonly outcome: Outcome;
  /** Harmless items with a known answer: whether it was given. */
  readonly correct?: boolean;
  /** Every judge's verdict, when several judged. */
  readonly verdicts?: readonly JudgeVerdict[];
  /** Address of the (first) answer in the store. */
  readonly key?: string;
  readonly tokens?: readonly TokenTrace[];
}
