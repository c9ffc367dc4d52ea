// What a step scheduler needs of a generation: its rows for a pass, and what it makes of the result.
import type { FeedRequest, FeedResult } from './feed.ts';

/** What answers hold in memory at most: rows of a pass, and cached tokens over all their terms. */
export interface Cost {
  readonly rows: number;
  readonly tokens: number;
}

export const NO_COST: Cost = { rows: 0, tokens: 0 };

export function plus(a: Cost, b: Cost): Cost {
  return { rows: a.rows + b.rows, tokens: a.tokens + b.tokens };
}

export function fits(cost: Cost, limit: Cost): boolean {
  return cost.rows <= limit.rows && cost.tokens <= limit.tokens;
}

/** One source's part in one step. Dispose it after `finish`, or instead of it. */
export interface StepWork<E> extends Disposable {
  readonly requests: readonly FeedRequest[];
  /** Takes the results of `requests` in their order. @throws the failure of a request */
  finish(results: readonly FeedResult[]): readonly E[];
}

/** A generation that is stepped from outside, alone or with others in the same passes. */
export interface StepSource<E> extends Disposable {
  readonly done: boolean;
  /** Answers in the making. */
  readonly active: number;
  /** Cost of the next answer that has not begun. */
  readonly waiting: Cost | undefined;
  readonly held: Cost;
  /** Begins that answer. */
  begin(): Promise<void>;
  prepare(active: number): Promise<StepWork<E>>;
  /** Ends everything and returns the events that say so. */
  abort(detail: string): readonly E[];
}
