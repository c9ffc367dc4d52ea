// The formula read literally, node by node, in float64: the oracle of the fused forms, and the general evaluator.
import { logSumExp } from '../numerics/log-sum-exp.ts';
import { setSources } from './candidate-set.ts';
import type { Expr } from './expr.ts';
import { membersOf } from './members.ts';

/** Stands for log 0 where a formula would divide by it: e^-10000 is 0, and 1e4 / 0.01 is still finite in any float. */
export const LOG_ZERO = -1e4;

interface Node {
  readonly value: Float64Array;
  /** One number, or one per token. */
  readonly norm: number | Float64Array;
}

const normAt = (norm: number | Float64Array, i: number): number =>
  typeof norm === 'number' ? norm : (norm[i] as number);

/** value / norm, then log-softmax. As in the reference library nothing is divided when any norm is 0. */
function finish(node: Node): Float64Array {
  const { norm } = node;
  const divides = typeof norm === 'number' ? norm !== 0 : !norm.includes(0);
  const scores = divides ? node.value.map((v, i) => v / normAt(norm, i)) : node.value;
  const total = logSumExp(scores).value;
  return scores.map((v) => (v === Number.NEGATIVE_INFINITY ? v : v - total));
}

/**
 * weight x value with a rule for log 0: a positively weighted token without support has none in the sum;
 * a negatively weighted one counts as LOG_ZERO, so that (-inf) - (-inf) never appears.
 */
function addWeighted(total: number, weight: number, value: number): number {
  if (weight === 0 || total === Number.NEGATIVE_INFINITY) return total;
  if (value === Number.NEGATIVE_INFINITY) return weight > 0 ? value : total + weight * LOG_ZERO;
  return total + weight * value;
}

/** Evaluates one node. `logProbs` gives every term's normalised log-probabilities. */
function evaluate(
  expr: Expr,
  logProbs: ReadonlyMap<string, Float64Array>,
  size: number,
  step: number,
): Node {
  const go = (e: Expr): Node => evaluate(e, logProbs, size, step);
  const distribution = (e: Expr): Float64Array => finish(go(e));
  const vector = (at: (i: number) => number): Float64Array =>
    Float64Array.from({ length: size }, (_, i) => at(i));
  switch (expr.kind) {
    case 'term': {
      const value = logProbs.get(expr.id);
      if (value === undefined) throw new RangeError(`no distribution for term "${expr.id}"`);
      return { value, norm: 1 };
    }
    case 'constant':
      return { value: new Float64Array(size).fill(expr.value), norm: expr.value };
    case 'sum': {
      // Positive parts first: whether the token has support is known before anything is subtracted.
      const ordered = [...expr.parts].sort((a, b) => b.weight - a.weight);
      if (expr.norm === 'none') {
        const parts = ordered.map((p) => ({ weight: p.weight, value: distribution(p.of) }));
        return {
          value: vector((i) =>
            parts.reduce((t, p) => addWeighted(t, p.weight, p.value[i] as number), 0),
          ),
          norm: 1,
        };
      }
      const parts = ordered.map((p) => ({ weight: p.weight, ...go(p.of) }));
      const value = vector((i) =>
        parts.reduce((t, p) => addWeighted(t, p.weight, p.value[i] as number), 0),
      );
      if (parts.every((p) => typeof p.norm === 'number')) {
        return { value, norm: parts.reduce((t, p) => t + p.weight * normAt(p.norm, 0), 0) };
      }
      return {
        value,
        norm: vector((i) => parts.reduce((t, p) => t + p.weight * normAt(p.norm, i), 0)),
      };
    }
    case 'product': {
      const [a, b] = [go(expr.of[0]), go(expr.of[1])];
      const value = vector((i) => {
        const [x, y] = [a.value[i] as number, b.value[i] as number];
        return x === 0 || y === 0 ? 0 : x * y;
      });
      if (typeof a.norm === 'number' && typeof b.norm === 'number') {
        return { value, norm: a.norm * b.norm };
      }
      return { value, norm: vector((i) => normAt(a.norm, i) * normAt(b.norm, i)) };
    }
    case 'union':
    case 'intersect': {
      const sign = expr.kind === 'union' ? 1 : -1;
      const nodes = expr.of.map(go);
      const value = new Float64Array(size);
      const norm = new Float64Array(size);
      for (let i = 0; i < size; i++) {
        let winner = nodes[0] as Node;
        for (const node of nodes) {
          if (sign * (node.value[i] as number) > sign * (winner.value[i] as number)) winner = node;
        }
        value[i] = winner.value[i] as number;
        norm[i] = normAt(winner.norm, i);
      }
      return { value, norm: norm.every((n) => n === norm[0]) ? (norm[0] as number) : norm };
    }
    case 'indicator': {
      const value = go(expr.of).value.map((v) => (v >= 0 ? 1 : 0));
      return { value, norm: value };
    }
    case 'penalise': {
      const [base, by] = [distribution(expr.base), distribution(expr.by)];
      return {
        value: vector((i) => {
          const [s, u] = [base[i] as number, by[i] as number];
          return s === Number.NEGATIVE_INFINITY ? s : s - expr.beta * Math.max(0, u - s);
        }),
        norm: 1,
      };
    }
    case 'mix': {
      const [base, toward] = [distribution(expr.base), distribution(expr.toward)];
      return {
        value: vector((i) => {
          const p = Math.exp(base[i] as number);
          const mixed = p + expr.alpha * (Math.exp(toward[i] as number) - p);
          return Math.log(Math.max(expr.floor, mixed));
        }),
        norm: 1,
      };
    }
    case 'temper': {
      const scaled = distribution(expr.of).map((v) => v / expr.temperature);
      return { value: finish({ value: scaled, norm: 1 }), norm: 1 };
    }
    case 'within': {
      const inner = go(expr.of);
      const ids = membersOf(
        expr.set,
        setSources(expr.set).map((source) => ({ scores: distribution(source), logSumExp: 0 })),
      );
      const value = new Float64Array(size).fill(Number.NEGATIVE_INFINITY);
      for (const id of ids) value[id] = inner.value[id] as number;
      return { value, norm: inner.norm };
    }
    case 'steps':
      return go(step < expr.first ? expr.early : expr.late);
  }
}

/** log-softmax in float64; entries without support stay -Infinity. */
export function logSoftmax(logits: ArrayLike<number>): Float64Array {
  const values = Float64Array.from(logits);
  const total = logSumExp(values).value;
  return values.map((v) => (v === Number.NEGATIVE_INFINITY ? v : v - total));
}

/**
 * The final log-probabilities of a formula, evaluated as written (language-model-arithmetic's value and norm).
 * @param logits one vector a term, all of the vocabulary's length; -Infinity means no support.
 * @param step generated tokens so far, for formulas with a schedule.
 */
export function evaluateLiteral(
  expr: Expr,
  logits: Readonly<Record<string, ArrayLike<number>>>,
  step = 0,
): Float64Array {
  const entries = Object.entries(logits).map(([id, v]) => [id, logSoftmax(v)] as const);
  const size = entries[0]?.[1].length ?? 0;
  return finish(evaluate(expr, new Map(entries), size, step));
}

/** The same from normalised log-probabilities that are already at hand. */
export function evaluateLogProbs(
  expr: Expr,
  logProbs: ReadonlyMap<string, Float64Array>,
  step: number,
): Float64Array {
  const size = logProbs.values().next().value?.length ?? 0;
  return finish(evaluate(expr, logProbs, size, step));
}
