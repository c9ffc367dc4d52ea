// Which tokens a formula may still choose: sets derived from the distribution of one or two sub-formulas.
import type { Expr } from './expr.ts';

/**
 * A support restriction, decided anew at every position from the named sub-formulas.
 * Ties at a threshold are kept (plausible) or broken by the lower token id (the others).
 */
export type CandidateSet =
  /** `{ x : p(x) >= alpha * max p }` (Li et al. 2023, adaptive plausibility). */
  | { readonly kind: 'plausible'; readonly of: Expr; readonly alpha: number }
  /** Smallest set of most likely tokens whose mass reaches `mass`; the token that crosses it is kept. */
  | { readonly kind: 'nucleus'; readonly of: Expr; readonly mass: number }
  | { readonly kind: 'topK'; readonly of: Expr; readonly k: number }
  /** Both lists of most likely tokens are widened until they share `atLeast` tokens (Xu et al. 2024). */
  | { readonly kind: 'common'; readonly of: readonly [Expr, Expr]; readonly atLeast: number }
  | { readonly kind: 'tokens'; readonly ids: readonly number[] };

/** The sub-formulas a set is computed from. */
export function setSources(set: CandidateSet): readonly Expr[] {
  if (set.kind === 'tokens') return [];
  return set.kind === 'common' ? set.of : [set.of];
}

/** Tokens within a factor `alpha` of the most likely one. */
export function plausible(of: Expr, alpha: number): CandidateSet {
  return { kind: 'plausible', of, alpha };
}

/** The nucleus (top-p set) of a sub-formula. */
export function nucleus(of: Expr, mass: number): CandidateSet {
  return { kind: 'nucleus', of, mass };
}

/** The `k` most likely tokens of a sub-formula. */
export function topK(of: Expr, k: number): CandidateSet {
  return { kind: 'topK', of, k };
}

/** The smallest k for which the two top-k lists share at least `atLeast` tokens: those shared tokens. */
export function common(a: Expr, b: Expr, atLeast: number): CandidateSet {
  return { kind: 'common', of: [a, b], atLeast };
}

/** A fixed list of token ids. */
export function onlyTokens(ids: readonly number[]): CandidateSet {
  return { kind: 'tokens', ids };
}
