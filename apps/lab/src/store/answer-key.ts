// The address of one answer: the arm's identity, what it reads, how long it may be, and the seed if there is chance.
import { createHash } from 'node:crypto';
import { canonicalJson, type Prompt } from '@safeinfer/harmeval';

/** Everything besides the prompt that decides an answer. */
export interface AnswerContext {
  /** See `armIdentity`. The first is what new answers are stored under; any of them may serve one. */
  readonly identities: readonly [string, ...string[]];
  readonly maxNewTokens: number;
  /** Of the draws; null for greedy decoding, where a seed changes nothing. */
  readonly seed: number | null;
}

/** One address for each identity. Called for every answer of a plan, so the prompt is written out once for all. */
export function answerKeys(context: AnswerContext, prompt: Prompt): string[] {
  const { identities, maxNewTokens, seed } = context;
  const text = canonicalJson(prompt);
  return identities.map((identity) =>
    createHash('sha256')
      .update(`answer\n${identity}\n${maxNewTokens}\n${seed}\n${text}`)
      .digest('hex'),
  );
}
