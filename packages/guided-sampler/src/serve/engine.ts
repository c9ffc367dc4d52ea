// What runs the requests of a handler: a scheduler that batches them, or each one alone.

import { Scheduler } from '../batching/scheduler.ts';
import type { PromptScores, ScoreOptions } from '../batching/score-run.ts';
import type { StepEvent } from '../run/events.ts';
import { stream } from '../run/generate.ts';
import { checkRequest, type GenerateOptions } from '../run/generate-options.ts';

/** `Scheduler` is one. */
export interface Engine {
  /** @throws at once for bad requests, and BUSY when it takes no more */
  submit(options: GenerateOptions): AsyncIterable<StepEvent>;
  score(options: ScoreOptions): Promise<readonly PromptScores[]>;
}

/** Every request on its own, whatever else runs. */
export const alone: Engine = {
  submit(options) {
    checkRequest(options);
    return stream(options);
  },
  async score(options) {
    await using scheduler = new Scheduler({ maxCachedTokens: Number.MAX_SAFE_INTEGER });
    return await scheduler.score(options);
  },
};
