// Chooses tokens from term scores: the full choice, and the early one from the first term alone.
import { SafeInferError } from '@safeinfer/backend';
import { scoreBounds } from '../formula/bounds.ts';
import type { FormulaPhase, TermScores, TermScoresById } from '../formula/compile-formula.ts';
import { contributions } from '../formula/contributions.ts';
import { logSumExp } from '../numerics/log-sum-exp.ts';
import { mostLikely } from '../numerics/most-likely.ts';
import type { Plan } from '../plan/plan.ts';
import type { Chain } from '../sampling/chain.ts';
import { chooseToken, decidedToken } from '../sampling/choose.ts';
import type { Sequence } from './sequence.ts';

/** A token with what is known about why. */
export interface Choice {
  readonly token: number;
  readonly logprob?: number;
  readonly normaliser?: number;
  readonly top?: readonly { readonly token: number; readonly logprob: number }[];
  readonly deltas?: ReadonlyMap<string, number>;
}

export interface ChooserOptions {
  readonly plan: Plan;
  readonly chain: Chain;
  readonly logprobs: number | undefined;
  readonly attribution: boolean;
}

/** Holds the buffers of one run; every call overwrites them. */
export class StepChooser {
  readonly #options: ChooserOptions;
  readonly #scores: Float64Array;
  readonly #low: Float64Array;
  readonly #high: Float64Array;

  constructor(options: ChooserOptions) {
    this.#options = options;
    const { vocabSize } = options.plan;
    this.#scores = new Float64Array(vocabSize);
    this.#low = new Float64Array(vocabSize);
    this.#high = new Float64Array(vocabSize);
  }

  /** The token of `step` from all terms of its phase. */
  full(
    sequence: Sequence,
    step: number,
    terms: TermScoresById,
    mask: Int32Array | undefined,
  ): Choice {
    const { plan, chain, logprobs, attribution } = this.#options;
    const phase = plan.formula.phaseAt(step);
    const scores = this.#scores;
    phase.evaluate(terms, scores);
    const total = logSumExp(scores);
    if (total.argmax < 0) this.#empty(sequence, step, 'the formula');
    const top =
      logprobs === undefined || logprobs === 0
        ? undefined
        : mostLikely(scores, logprobs).map((token) => ({
            token,
            logprob: (scores[token] as number) - total.value,
          }));
    // The chain edits in place: what is reported is read before it, at the token that it leads to.
    const before = chain.processors.length === 0 ? scores : this.#copy(scores);
    chain.apply(scores, sequence.context(step), mask);
    const token = chooseToken(scores, chain.greedy ? undefined : sequence.key(step));
    if (token < 0) this.#empty(sequence, step, 'the processors');
    const logprob = (before[token] as number) - total.value;
    const deltas = attribution ? contributions(phase.expr, terms, token) : undefined;
    const sum = deltas === undefined ? 0 : [...deltas.values()].reduce((a, b) => a + b, 0);
    return {
      token,
      logprob,
      ...(top === undefined ? {} : { top }),
      ...(deltas === undefined ? {} : { deltas, normaliser: sum - logprob }),
    };
  }

  /** What the first term alone says: the token if it is decided, else a draft of it. */
  early(
    sequence: Sequence,
    step: number,
    first: { readonly id: string; readonly scores: TermScores },
    mask: Int32Array | undefined,
    wants: { readonly decision: boolean; readonly draft: boolean },
  ): { readonly token: number; readonly decided: boolean } {
    const { plan, chain } = this.#options;
    const key = chain.greedy ? undefined : sequence.key(step);
    if (wants.decision && this.#bounds(plan.formula.phaseAt(step), first)) {
      const context = sequence.context(step);
      if (chain.processors.length > 0 || mask !== undefined) {
        chain.applyMonotone(this.#low, context, mask);
        chain.applyMonotone(this.#high, context, mask);
      }
      const token = decidedToken({ low: this.#low, high: this.#high }, key, chain.temperature);
      if (token >= 0) return { token, decided: true };
    }
    if (!wants.draft) return { token: -1, decided: false };
    const scores = this.#scores;
    scores.set(first.scores.logits);
    chain.apply(scores, sequence.context(step), mask);
    const token = chooseToken(scores, key);
    if (token < 0) this.#empty(sequence, step, 'the processors');
    return { token, decided: false };
  }

  /** Fills the bound buffers; false when the formula has no bounds. */
  #bounds(
    phase: FormulaPhase,
    first: { readonly id: string; readonly scores: TermScores },
  ): boolean {
    const { expr } = phase;
    if (expr.kind === 'penalise' && expr.base.kind === 'term' && expr.base.id === first.id) {
      // The same as interval arithmetic gives, in one pass: at best nothing is lost, at worst the penalty has log U = 0.
      const { logits, logSumExp: offset } = first.scores;
      for (let i = 0; i < logits.length; i++) {
        const value = logits[i] as number;
        this.#high[i] = value;
        this.#low[i] = value + expr.beta * Math.min(0, value - offset);
      }
      return true;
    }
    const bounds = scoreBounds(expr, new Map([[first.id, first.scores]]), this.#low.length);
    if (bounds === undefined) return false;
    this.#low.set(bounds.low);
    this.#high.set(bounds.high);
    return true;
  }

  #copy(scores: Float64Array): Float64Array {
    this.#high.set(scores);
    return this.#high;
  }

  #empty(sequence: Sequence, step: number, culprit: string): never {
    throw new SafeInferError(
      `no token is left at step ${step} of prompt ${sequence.prompt} after ${culprit}`,
      {
        code: 'BAD_ARGUMENT',
        hint: 'a mask, a ban list or a grammar removes every token: loosen one of them',
      },
    );
  }
}
