// GSM8K by generation: worked examples, an answer, two readings of it.
import { deriveSeed } from '../canonical-hash.ts';
import type { Generate, Sampling } from '../generate.ts';
import { callQueue, generateRows } from '../generate-rows.ts';
import { defaultRetryPolicy, type RetryPolicy } from '../retry-policy.ts';
import { flexibleAnswer, gsm8kPrompt, type MathItem, strictAnswer } from './gsm8k.ts';

export interface MathScore {
  /** Share right by the number after `####`. */
  readonly strict: number;
  /** Share right by the last number of the answer. */
  readonly flexible: number;
  readonly scored: number;
  /** Items without an answer from the model; not counted as wrong. */
  readonly unscored: number;
  readonly perItem: readonly {
    readonly id: string;
    readonly strict: boolean | null;
    readonly flexible: boolean | null;
  }[];
}

/** Generates and reads answers. Text after the next "Question:" is the model's own invention and is cut. */
export async function scoreGsm8k(options: {
  readonly items: readonly MathItem[];
  readonly examples: readonly MathItem[];
  readonly generate: Generate;
  readonly sampling?: Sampling;
  readonly retry?: Partial<RetryPolicy>;
  readonly signal?: AbortSignal;
}): Promise<MathScore> {
  const { items, examples, generate } = options;
  const sampling = options.sampling ?? { temperature: 0, maxNewTokens: 320, stop: ['Question:'] };
  const outcomes = await generateRows({
    generate,
    requests: items.map((item) => ({
      id: item.id,
      prompt: { kind: 'raw', text: gsm8kPrompt(item, examples) },
      sampling,
      seed: deriveSeed(item.id),
    })),
    policy: { ...defaultRetryPolicy, ...options.retry },
    signal: options.signal,
    queue: callQueue(generate),
  });
  const perItem = items.map(({ id, answer }, i) => {
    const outcome = outcomes[i];
    if (outcome === undefined || !outcome.ok || outcome.result.finishReason === 'content_filter') {
      return { id, strict: null, flexible: null };
    }
    const text = outcome.result.text.split('Question:')[0] ?? '';
    return { id, strict: strictAnswer(text) === answer, flexible: flexibleAnswer(text) === answer };
  });
  const scored = perItem.filter(({ strict }) => strict !== null);
  const share = (key: 'strict' | 'flexible') =>
    scored.filter((item) => item[key] === true).length / scored.length;
  return {
    strict: share('strict'),
    flexible: share('flexible'),
    scored: scored.length,
    unscored: items.length - scored.length,
    perItem,
  };
}
