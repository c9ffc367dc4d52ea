// Judge prompts that a local model answers, and where their verdicts are kept.
import { compile, term } from '@safeinfer/guided-sampler';
import {
  type ContentCache,
  type Generate,
  type Judge,
  promptJudge,
  type promptJudgeSpecs,
} from '@safeinfer/harmeval';
import type { Transformer } from '@safeinfer/transformer';
import { armGenerate } from '../arms/arm-generate.ts';
import { hasChatTemplate } from '../model/has-chat-template.ts';
import type { Store } from '../store/open-store.ts';

/** Tokens of an answer: enough for an explanation before the verdict. */
export const JUDGE_TOKENS = 128;

export function judgeGenerate(options: {
  readonly model: Transformer;
  readonly maxNewTokens: number;
  readonly batchSize: number;
  /** Names the model in verdicts. */
  readonly fingerprint: string;
}): Generate {
  const { model, ...rest } = options;
  return armGenerate({
    plan: compile(term('judge', { model })),
    hasChatTemplate: hasChatTemplate(model),
    ...rest,
  });
}

/** Asked once: a local model answers the same way each time, and may never be able to follow the prompt. */
export function localJudge(spec: (typeof promptJudgeSpecs)[string], generate: Generate): Judge {
  return promptJudge({ ...spec, reasks: 0 }, generate, {
    retry: { retries: 0, attemptTimeoutMs: 0 },
  });
}

export function verdictCache(store: Store): ContentCache {
  return {
    get: async (key) => store.get(key),
    set: async (key, value) => store.set(new Map([[key, value]])),
  };
}
