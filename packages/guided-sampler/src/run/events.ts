// What a generation tells its consumer, token by token.
import type { RunStats } from './run-stats.ts';

export interface TokenLogprob {
  readonly token: number;
  readonly text: string;
  /** Of the final distribution: after the formula, before processors. */
  readonly logprob: number;
}

/** One term's part in one token. */
export interface TermContribution {
  /** The term's own log-probability of the chosen token; absent when it did not run. */
  readonly logprob?: number;
  /** What it added to the token's final score. Deltas minus `normaliser` is the token's logprob. */
  readonly delta?: number;
  /** 'now': in this step. 'verified': after the token was drafted. 'skipped': provably could not change it. */
  readonly ran: 'now' | 'verified' | 'skipped';
}

export interface TokenEvent {
  readonly type: 'token';
  /** Index of the prompt, and which of its `n` answers. */
  readonly prompt: number;
  readonly sample: number;
  /** 0 for the first generated token. */
  readonly step: number;
  readonly token: number;
  /** Text that became certain with this token; may be empty, may hold several tokens' worth. */
  readonly text: string;
  /** Of the final distribution, before processors. Absent when a term was skipped: the rest is not known. */
  readonly logprob?: number;
  readonly top?: readonly TokenLogprob[];
  readonly terms?: Readonly<Record<string, TermContribution>>;
  readonly normaliser?: number;
}

export type FinishReason = 'stop' | 'length' | 'abort';

export interface Usage {
  readonly promptTokens: number;
  readonly completionTokens: number;
}

export interface FinishEvent {
  readonly type: 'finish';
  readonly prompt: number;
  readonly sample: number;
  readonly reason: FinishReason;
  /** Why it stopped, for people: the stop string, token or limit. */
  readonly detail: string;
  /** Text that was held back and is certain now. */
  readonly text: string;
  readonly usage: Usage;
  /** Totals of the whole run so far. */
  readonly stats: RunStats;
}

export type StepEvent = TokenEvent | FinishEvent;
