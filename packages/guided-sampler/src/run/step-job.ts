// One answer's part in a step: the distributions it wants, and what it does with them.
import type { TermScores } from '../formula/compile-formula.ts';
import type { StepEvent } from './events.ts';
import { type FeedRequest, type FeedResult, scoresOf } from './feed.ts';
import type { Checkpoint, TermRow } from './term-row.ts';

export interface Job {
  readonly requests: readonly FeedRequest[];
  readonly finish: (scores: ReadonlyMap<string, readonly TermScores[]>) => readonly StepEvent[];
  /** States to go back to; whatever is left when the step ends is disposed. */
  readonly checkpoints: Map<TermRow, Checkpoint>;
}

/** Hands every job its distributions. */
export function finishJobs(
  jobs: readonly Job[],
  results: readonly FeedResult[],
): readonly StepEvent[] {
  const events: StepEvent[] = [];
  let at = 0;
  for (const job of jobs) {
    const own = results.slice(at, at + job.requests.length);
    at += own.length;
    events.push(
      ...job.finish(
        new Map(job.requests.map(({ termId }, i) => [termId, scoresOf(own[i] as FeedResult)])),
      ),
    );
  }
  return events;
}
