// The formula algebra as plain data: distributions (terms) and the few ways to combine them.
import type { TermSpec } from '../plan/term-spec.ts';
import type { CandidateSet } from './candidate-set.ts';

/** One summand of a weighted sum. */
export interface Part {
  readonly weight: number;
  readonly of: Expr;
}

/**
 * A formula over next-token log-probabilities. Immutable data; every node has a *value* (a vector over the
 * vocabulary) and a *norm*, as in language-model-arithmetic: the result is log_softmax(value / norm), once, at the root.
 */
export type Expr =
  /** log-softmax of one model's logits; norm 1. `spec` says how to run it; absent in pure algebra. */
  | { readonly kind: 'term'; readonly id: string; readonly spec?: TermSpec }
  | { readonly kind: 'constant'; readonly value: number }
  /** Sum of weight x value. norm 'lma': sum of weight x norm. 'none': parts are distributions, nothing is divided. */
  | { readonly kind: 'sum'; readonly parts: readonly Part[]; readonly norm: 'lma' | 'none' }
  | { readonly kind: 'product'; readonly of: readonly [Expr, Expr] }
  /** Elementwise maximum; per token the norm of the side that won. */
  | { readonly kind: 'union'; readonly of: readonly Expr[] }
  /** Elementwise minimum; per token the norm of the side that won. */
  | { readonly kind: 'intersect'; readonly of: readonly Expr[] }
  /** 1 where the value is >= 0, else 0; the norm is the same vector. */
  | { readonly kind: 'indicator'; readonly of: Expr }
  /** S - beta * relu(U - S) over the two normalised distributions; norm 1. */
  | { readonly kind: 'penalise'; readonly base: Expr; readonly by: Expr; readonly beta: number }
  /** The value inside the set, no support outside; norm of the inner formula. */
  | { readonly kind: 'within'; readonly set: CandidateSet; readonly of: Expr }
  /** log max(floor, p + alpha (q - p)) over the two normalised distributions; norm 1. */
  | {
      readonly kind: 'mix';
      readonly base: Expr;
      readonly toward: Expr;
      readonly alpha: number;
      readonly floor: number;
    }
  /** log_softmax(value / temperature); norm 1. */
  | { readonly kind: 'temper'; readonly of: Expr; readonly temperature: number }
  /** `early` for the first `first` generated tokens, `late` afterwards. */
  | { readonly kind: 'steps'; readonly first: number; readonly early: Expr; readonly late: Expr };

/** A distribution: `id` names it in events, statistics and parsed formulas. */
export function term(id: string, spec?: TermSpec): Expr {
  return spec === undefined ? { kind: 'term', id } : { kind: 'term', id, spec };
}

/** A constant with itself as norm. */
export function constant(value: number): Expr {
  return { kind: 'constant', value };
}

/** Weighted sum with the reference library's normalisation: the result is divided by the sum of weights. */
export function sum(...parts: readonly Part[]): Expr {
  return { kind: 'sum', parts, norm: 'lma' };
}

/** Weighted sum of distributions, not divided: DExperts, contrastive and context-aware decoding, guidance. */
export function combine(...parts: readonly Part[]): Expr {
  return { kind: 'sum', parts, norm: 'none' };
}

/** `weight * of` inside a sum. */
export function weighted(weight: number, of: Expr): Part {
  return { weight, of };
}

/** Elementwise product of values and of norms. */
export function product(a: Expr, b: Expr): Expr {
  return { kind: 'product', of: [a, b] };
}

/** Elementwise maximum. */
export function union(...of: readonly Expr[]): Expr {
  return { kind: 'union', of };
}

/** Elementwise minimum. */
export function intersect(...of: readonly Expr[]): Expr {
  return { kind: 'intersect', of };
}

/** 1 where `of` is >= 0, else 0. */
export function indicator(of: Expr): Expr {
  return { kind: 'indicator', of };
}

/** Pushes down the tokens that `by` prefers to `base`: `S - beta * relu(U - S)`. */
export function penalise(base: Expr, by: Expr, options: { readonly beta: number }): Expr {
  return { kind: 'penalise', base, by, beta: options.beta };
}

/** Restricts a formula to a candidate set. */
export function within(set: CandidateSet, of: Expr): Expr {
  return { kind: 'within', set, of };
}

/** Moves probabilities (not logs) from `base` toward `toward`; alpha > 1 extrapolates, `floor` keeps it positive. */
export function mixProbs(
  base: Expr,
  toward: Expr,
  options: { readonly alpha: number; readonly floor?: number },
): Expr {
  return { kind: 'mix', base, toward, alpha: options.alpha, floor: options.floor ?? 1e-8 };
}

/** The distribution at another temperature. */
export function temper(of: Expr, temperature: number): Expr {
  return { kind: 'temper', of, temperature };
}

/** One formula for the first `first` generated tokens, another one for the rest. */
export function firstSteps(first: number, early: Expr, late: Expr): Expr {
  return { kind: 'steps', first, early, late };
}
