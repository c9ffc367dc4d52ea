// Interval arithmetic over a formula: what its scores can still be while some terms have not run.
import { setSources } from './candidate-set.ts';
import type { TermScoresById } from './compile-formula.ts';
import type { Expr } from './expr.ts';
import { membersOf } from './members.ts';
import { staticNorm } from './static-norm.ts';
import { termIds } from './walk.ts';

/** Lower and upper bound of every token's score. */
export interface Bounds {
  readonly low: Float64Array;
  readonly high: Float64Array;
}

const NONE = Number.NEGATIVE_INFINITY;

/** weight x bound; an unknown log-probability times a weight may be unbounded, never NaN. */
function times(weight: number, value: number): number {
  return weight === 0 ? 0 : weight * value;
}

/** a + b where opposite infinities mean "nothing is known" in the direction of `toward`. */
function plus(a: number, b: number, toward: number): number {
  const total = a + b;
  return Number.isNaN(total) ? toward : total;
}

/**
 * Bounds of `value` (before the root's division by a positive norm), given the terms in `known`; an unknown term is
 * only known to be a log-probability: at most 0. Undefined when nothing useful follows from the formula.
 */
function boundsOf(expr: Expr, known: TermScoresById, size: number): Bounds | undefined {
  const filled = (low: number, high: number): Bounds => ({
    low: new Float64Array(size).fill(low),
    high: new Float64Array(size).fill(high),
  });
  switch (expr.kind) {
    case 'term': {
      const scores = known.get(expr.id);
      if (scores === undefined) return filled(NONE, 0);
      const offset = scores.logSumExp;
      const values = Float64Array.from(scores.logits, (v) => v - offset);
      return { low: values, high: values };
    }
    case 'constant':
      return filled(expr.value, expr.value);
    case 'sum': {
      if (expr.norm === 'none' && expr.parts.some((p) => p.of.kind !== 'term')) return undefined;
      const total = filled(0, 0);
      for (const { weight, of } of expr.parts) {
        const inner = boundsOf(of, known, size);
        if (inner === undefined) return undefined;
        const [least, most] = weight >= 0 ? [inner.low, inner.high] : [inner.high, inner.low];
        for (let i = 0; i < size; i++) {
          total.low[i] = plus(total.low[i] as number, times(weight, least[i] as number), NONE);
          total.high[i] = plus(
            total.high[i] as number,
            times(weight, most[i] as number),
            Number.POSITIVE_INFINITY,
          );
        }
      }
      return total;
    }
    case 'union':
    case 'intersect': {
      if (staticNorm(expr) === 'varies') return undefined;
      const pick = expr.kind === 'union' ? Math.max : Math.min;
      const sides = expr.of.map((e) => boundsOf(e, known, size));
      const first = sides[0];
      if (first === undefined) return undefined;
      const result: Bounds = { low: first.low.slice(), high: first.high.slice() };
      for (const side of sides.slice(1)) {
        if (side === undefined) return undefined;
        for (let i = 0; i < size; i++) {
          result.low[i] = pick(result.low[i] as number, side.low[i] as number);
          result.high[i] = pick(result.high[i] as number, side.high[i] as number);
        }
      }
      return result;
    }
    case 'penalise': {
      if (expr.base.kind !== 'term' || expr.by.kind !== 'term') return undefined;
      const base = boundsOf(expr.base, known, size) as Bounds;
      const by = boundsOf(expr.by, known, size) as Bounds;
      // Rises with the base and falls with the penalty, so the ends of the intervals give the ends of the result.
      const at = (s: number, u: number): number =>
        s === NONE ? s : s - expr.beta * Math.max(0, u - s);
      return {
        low: Float64Array.from(base.low, (s, i) => at(s, by.high[i] as number)),
        high: Float64Array.from(base.high, (s, i) => at(s, by.low[i] as number)),
      };
    }
    case 'within': {
      const sources = setSources(expr.set);
      const decided = sources.every((s) => s.kind === 'term' && known.has(s.id));
      if (!decided) return undefined;
      const members = membersOf(
        expr.set,
        sources.map((s) => {
          const scores = known.get((s as Extract<Expr, { kind: 'term' }>).id);
          return {
            scores: scores?.logits ?? new Float32Array(size),
            logSumExp: scores?.logSumExp ?? 0,
          };
        }),
      );
      const only = members[0];
      const result = filled(NONE, NONE);
      if (members.length === 1 && only !== undefined) {
        // One candidate left: whatever the other terms say, it is chosen.
        result.low[only] = 0;
        result.high[only] = 0;
        return result;
      }
      const inner = boundsOf(expr.of, known, size);
      if (inner === undefined) return undefined;
      for (const id of members) {
        result.low[id] = inner.low[id] as number;
        result.high[id] = inner.high[id] as number;
      }
      return result;
    }
    default:
      return undefined;
  }
}

/** The fused penalty keeps the level of its base's raw scores; bounds are put on the same level. */
function levelOf(expr: Expr, known: TermScoresById): number {
  if (expr.kind === 'within') return levelOf(expr.of, known);
  if (expr.kind !== 'penalise' || expr.base.kind !== 'term') return 0;
  return known.get(expr.base.id)?.logSumExp ?? 0;
}

/** Bounds of the final scores (divided by the norm, before the last log-softmax, which moves no ranking). */
export function scoreBounds(expr: Expr, known: TermScoresById, size: number): Bounds | undefined {
  const norm = staticNorm(expr);
  if (norm === 'varies' || norm <= 0) return undefined;
  const bounds = boundsOf(expr, known, size);
  const level = levelOf(expr, known);
  if (bounds === undefined || (norm === 1 && level === 0)) return bounds;
  return {
    low: bounds.low.map((v) => v / norm + level),
    high: bounds.high.map((v) => v / norm + level),
  };
}

/**
 * Whether knowing `known` alone can ever decide a token: tried on one peaked distribution, where a rule that exists
 * must fire. False for sums, where an unknown term can always overturn the order.
 */
export function canDecideEarly(
  expr: Expr,
  known: readonly string[],
  sample: TermScoresById,
): boolean {
  if (termIds(expr).every((id) => known.includes(id))) return false;
  const bounds = scoreBounds(expr, sample, 3);
  if (bounds === undefined) return false;
  return (bounds.low[0] as number) > Math.max(bounds.high[1] as number, bounds.high[2] as number);
}
