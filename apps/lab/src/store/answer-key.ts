// The address of one answer: the arm's identity, what it reads, how long it may be, and the seed if there is chance.
import { generationKey, type Prompt } from '@safeinfer/harmeval';

/** Everything besides the prompt that decides an answer. */
export interface AnswerContext {
  /** See `armIdentity`. The first is what new answers are stored under; any of them may serve one. */
  readonly identities: readonly [string, ...string[]];
  readonly maxNewTokens: number;
  /** Of the draws; null for greedy decoding, where a seed changes nothing. */
  readonly seed: number | null;
}

export function answerKeys(context: AnswerContext, prompt: Prompt): string[] {
  const { identities, maxNewTokens, seed } = context;
  return identities.map((identity) =>
    generationKey(identity, { prompt, sampling: { maxNewTokens }, seed: seed ?? 0 }),
  );
}
