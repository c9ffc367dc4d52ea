// One edit of the scores of one position: penalties, masks, temperature, truncation.

export type Scores = Float32Array | Float64Array;

/** Everything a processor may look at. History includes tokens drafted by speculation, so verification is exact. */
export interface ProcessorContext {
  /** Prompt and generated tokens of the row. */
  readonly history: readonly number[];
  readonly promptLength: number;
  /** Generated tokens so far. */
  readonly step: number;
}

/**
 * A pure function of (scores, history): no state to clone, nothing to roll back.
 * `effect` says what may be assumed of it:
 * - 'monotone': each token's new score rises with its old one and depends on no other token's score. It can be applied
 *   to lower and upper bounds, so lazy terms stay exact.
 * - 'scale': one positive factor for every token (temperature); the order of tokens does not change.
 * - 'truncate': removes tokens, never the most likely one; greedy decoding skips it.
 */
export interface Processor {
  readonly name: string;
  readonly effect: 'monotone' | 'scale' | 'truncate';
  /** Edits in place; -Infinity removes a token. */
  apply(scores: Scores, context: ProcessorContext): void;
}

export const REMOVED: number = Number.NEGATIVE_INFINITY;
