// Which terms run first in a step: all together, or the first alone because it will probably decide.
import type { Transformer } from '@safeinfer/transformer';
import type { Plan } from '../plan/plan.ts';
import type { Chain } from '../sampling/chain.ts';
import type { GenerateOptions } from './generate-options.ts';
import type { Sequence } from './sequence.ts';

/** How one step of a sequence runs. */
export type StepMode =
  | {
      readonly kind: 'together';
      readonly terms: readonly string[];
      readonly watch: string | undefined;
    }
  | {
      readonly kind: 'draft';
      readonly first: string;
      readonly others: readonly string[];
      /** Bounds may decide without the others. */
      readonly decides: boolean;
    };

/** Weight of the newest token in the running skip rate: a memory of about twenty tokens of all answers. */
const NEWEST = 0.05;
/** Rate to start from: high enough to try, so low that six open tokens end the trial. */
const FIRST_RATE = 0.8;
/**
 * Running the first term alone costs a second pass whenever it does not decide; running all together costs the wider
 * pass always: 1.2 to 1.8 times the narrow one, measured from large to tiny models. The break-even lies between.
 */
const START_DRAFTING = 0.75;
/**
 * From this size on a pass over few rows is bound by reading the weights: a second row costs next to nothing (measured
 * 0.96 to 1.07 x at 160 M parameters and two rows, 1.7 x at sixteen), so there is nothing to skip. Small models are
 * bound by the number of operations.
 */
const READ_BOUND_WEIGHTS = 20e6;
/** Up to so many rows; beyond it arithmetic counts. */
const READ_BOUND_ROWS = 4;
/**
 * From this many answers on, rows that fall behind cost more in re-packed caches than their skipped passes save: drafting
 * needs all of them to be at the same place.
 */
const MANY_ANSWERS = 8;
/** Decided tokens do not need verification, but drafts hold memory: at most this many times `speculate`. */
const DRAFT_FACTOR = 4;
/** An open token may wait for a second one, so that one pass of the others serves both: two at most. */
const OPEN_TOGETHER = 2;
/** Tokens of a draft, the open one included, before the others are asked at the latest: bounds what a wrong draft wastes. */
const LONGEST_WAIT = 8;
/**
 * Share of kept drafts from which waiting pays: a kept one saves a pass of the others, a wrong one wastes the passes of
 * the first term since, usually a few.
 */
const WAIT_FROM = 0.6;
/** Share to start from, and weight of the newest draft: the first wrong one ends waiting, the next kept one resumes it. */
const FIRST_KEPT = 0.75;
const NEWEST_KEPT = 0.25;
/** Switching re-packs caches, so it takes a clear change to go back. */
const STOP_DRAFTING = 0.6;

/** Weights that one decoding pass reads, embeddings of single tokens not counted. */
function weightsRead({ config }: Transformer): number {
  const { dModel, nLayers, nHeads, nKvHeads, dHead, dMlp, vocabSize, mlp } = config;
  const attention = 2 * dModel * dHead * (nHeads + nKvHeads);
  return nLayers * (attention + (mlp.gated ? 3 : 2) * dModel * dMlp) + vocabSize * dModel;
}

export class TermPolicy {
  readonly #plan: Plan;
  readonly #lazy: 'auto' | boolean;
  readonly #speculate: number | 'auto';
  readonly #readBound: boolean;
  #skipRate = FIRST_RATE;
  #keptRate = FIRST_KEPT;
  #drafting = true;

  constructor(options: GenerateOptions, chain: Chain) {
    this.#plan = options.plan;
    this.#readBound = weightsRead(options.plan.model) >= READ_BOUND_WEIGHTS;
    // A reported distribution needs every term; truncation needs the whole distribution to be bounded.
    const possible = options.logprobs === undefined && chain.boundable;
    this.#lazy = possible ? (options.lazy ?? 'auto') : false;
    this.#speculate = options.logprobs === undefined ? (options.speculate ?? 'auto') : 1;
  }

  /** True when the others should look at the answer's drafts now. */
  verifies({ drafts, generated }: Sequence): boolean {
    const open = drafts.filter((draft) => !draft.decided).length;
    if (this.#speculate !== 'auto') {
      return open >= this.#speculate || drafts.length >= DRAFT_FACTOR * this.#speculate;
    }
    // The first token decides most about an answer, and the others have to read their prompts anyway.
    const waits = generated.length > 0 && this.#keptRate >= WAIT_FROM;
    return open >= (waits ? OPEN_TOGETHER : 1) || drafts.length >= LONGEST_WAIT;
  }

  /** `active`: answers in the making, this one included. */
  mode(sequence: Sequence, active: number): StepMode {
    const step = sequence.nextStep;
    const { formula, skipRules } = this.#plan;
    const phase = formula.phaseAt(step);
    const rule = skipRules[formula.phases.indexOf(phase)];
    if (phase.terms.length === 1) return { kind: 'together', terms: phase.terms, watch: undefined };
    const first = rule?.first ?? (phase.terms[0] as string);
    const others = phase.terms.filter((id) => id !== first);
    const decides = rule !== undefined && this.#lazy !== false;
    const draft: StepMode = { kind: 'draft', first, others, decides };
    if (sequence.drafts.length > 0) return draft;
    if (this.#speculate !== 'auto' && this.#speculate > 1) return draft;
    if (!decides) return { kind: 'together', terms: phase.terms, watch: undefined };
    if (this.#lazy === true || !this.#shareModel(first, others)) return draft;
    const together: StepMode = { kind: 'together', terms: phase.terms, watch: first };
    if (this.#readBound && active * phase.terms.length <= READ_BOUND_ROWS) return together;
    return this.#drafting && active < MANY_ANSWERS ? draft : together;
  }

  /** Tells whether the first term would have decided (or did). */
  observe(decided: boolean): void {
    this.#skipRate += NEWEST * ((decided ? 1 : 0) - this.#skipRate);
    if (this.#skipRate >= START_DRAFTING) this.#drafting = true;
    if (this.#skipRate < STOP_DRAFTING) this.#drafting = false;
  }

  /** Tells whether the draft that waited longest was kept. */
  observeDraft(kept: boolean): void {
    this.#keptRate += NEWEST_KEPT * ((kept ? 1 : 0) - this.#keptRate);
  }

  #shareModel(first: string, others: readonly string[]): boolean {
    const model = (id: string) => this.#plan.terms.find((term) => term.id === id)?.spec.model;
    return others.some((id) => model(id) === model(first));
  }
}
