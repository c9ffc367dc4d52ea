// Which formulas can decide a token before every term has run, and from which term.
import { canDecideEarly } from '../formula/bounds.ts';
import { type FormulaPhase, TermScores } from '../formula/compile-formula.ts';
import { describe } from '../formula/describe.ts';

/** The exact skip rule of one phase: run `first`, and the others only when its bounds leave a choice. */
export interface SkipRule {
  readonly first: string;
  readonly others: readonly string[];
  /** In words, for `explain()`. */
  readonly text: string;
}

/** A peaked distribution: any rule that exists fires on it. */
const PEAKED = Float32Array.from([0, -30, -30]);

function wording(phase: FormulaPhase, first: string): string {
  const { expr } = phase;
  if (expr.kind === 'penalise') {
    const threshold = `(1 + ${Number(expr.beta.toPrecision(6))}) * log p1 > log p2`;
    return `skip while ${threshold} under ${first}: the top token loses at most beta * -log p1, no other gains`;
  }
  if (expr.kind === 'within') return `skip while ${first} leaves one candidate in the set`;
  return `skip while the bounds from ${first} single out a token of ${describe(expr)}`;
}

/** The rule that follows from the formula by interval arithmetic, or undefined when there is none. */
export function skipRuleOf(phase: FormulaPhase): SkipRule | undefined {
  if (phase.terms.length < 2) return undefined;
  for (const first of phase.terms) {
    const known = new Map([[first, new TermScores(PEAKED)]]);
    if (!canDecideEarly(phase.expr, [first], known)) continue;
    const others = phase.terms.filter((id) => id !== first);
    return { first, others, text: wording(phase, first) };
  }
  return undefined;
}
