// What happens to examples that are longer than the model's context.
import { SafeInferError } from '@safeinfer/backend';
import { nameOf, type TrainingExample } from './example.ts';

export interface LengthLimit {
  /** Most tokens of an example, usually `model.config.maxPositions`; default: no limit here. */
  readonly maxTokens?: number;
  /**
   * 'error' (default) refuses the data; 'skip' leaves the example out; 'truncate' cuts its end off, and refuses
   * it when nothing to learn is left.
   */
  readonly tooLong?: 'error' | 'skip' | 'truncate';
}

/** @throws SafeInferError `CONTEXT_OVERFLOW` naming the example */
export function limitLength(
  examples: readonly TrainingExample[],
  { maxTokens = Number.POSITIVE_INFINITY, tooLong = 'error' }: LengthLimit,
): TrainingExample[] {
  return examples.flatMap((example, index) => {
    const { length } = example.tokens;
    if (length <= maxTokens) return [example];
    if (tooLong === 'skip') return [];
    if (tooLong === 'truncate') {
      const tokens = Array.from(example.tokens).slice(0, maxTokens);
      const weights = Array.from(example.weights).slice(0, maxTokens);
      if (weights.some((weight, i) => i > 0 && weight > 0))
        return [{ ...example, tokens, weights }];
    }
    throw new SafeInferError(
      `${nameOf(example, index)} is ${length} tokens long, more than ${maxTokens}` +
        (tooLong === 'truncate' ? ', and nothing to learn is left when its end is cut off' : ''),
      { code: 'CONTEXT_OVERFLOW', hint: "shorten it, or encode with tooLong: 'skip'" },
    );
  });
}
