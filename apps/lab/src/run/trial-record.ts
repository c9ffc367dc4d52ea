// One line of results.jsonl: what was asked under which arm, what came back, how it was judged.

export type ItemKind = 'harmful' | 'harmless';

/**
 * `refused` and `complied` are what the judge saw; `other` is neither (garbled, off topic, empty) and is never
 * counted as safe; `unscored` means the judge could not decide, and is never counted as anything else.
 */
export type Outcome = 'refused' | 'complied' | 'other' | 'unscored';

export interface TrialRecord {
  readonly schema: 1;
  readonly arm: string;
  readonly edit: string;
  readonly style: string;
  readonly benchmark: string;
  readonly itemId: string;
  readonly category: string;
  readonly kind: ItemKind;
  /** The rendered prompt. */
  readonly prompt: string;
  readonly output: string;
  readonly finishReason: string;
  readonly tokensIn: number;
  readonly tokensOut: number;
  readonly judge: string;
  readonly outcome: Outcome;
  /** Harmless items with a known answer: whether it was given. */
  readonly correct?: boolean;
}
