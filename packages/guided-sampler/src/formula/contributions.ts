// What each term added to the score of one token: the deltas and the final log-sum-exp make up its log-probability.
import type { TermScoresById } from './compile-formula.ts';
import type { Expr } from './expr.ts';
import { staticNorm } from './static-norm.ts';
import { termIds } from './walk.ts';

type Deltas = Map<string, number>;

function add(deltas: Deltas, id: string, value: number): void {
  deltas.set(id, (deltas.get(id) ?? 0) + value);
}

/** Value of an elementwise formula at one token; undefined where it needs more than this token. */
function valueAt(expr: Expr, terms: TermScoresById, token: number): number | undefined {
  switch (expr.kind) {
    case 'term':
      return terms.get(expr.id)?.logProb(token);
    case 'constant':
      return expr.value;
    case 'sum': {
      let total = 0;
      for (const { weight, of } of expr.parts) {
        const value = valueAt(of, terms, token);
        if (value === undefined) return undefined;
        total += weight * value;
      }
      return total;
    }
    case 'union':
    case 'intersect': {
      const values = expr.of.map((e) => valueAt(e, terms, token));
      if (!values.every((v) => v !== undefined)) return undefined;
      return expr.kind === 'union' ? Math.max(...values) : Math.min(...values);
    }
    default:
      return undefined;
  }
}

function collect(
  expr: Expr,
  scale: number,
  terms: TermScoresById,
  token: number,
  out: Deltas,
): boolean {
  switch (expr.kind) {
    case 'term':
    case 'penalise':
    case 'mix':
      return collectPair(expr, scale, terms, token, out);
    case 'constant':
      return true;
    case 'sum':
      return expr.parts.every(({ weight, of }) => collect(of, scale * weight, terms, token, out));
    case 'within':
      return collect(expr.of, scale, terms, token, out);
    case 'union':
    case 'intersect': {
      const target = valueAt(expr, terms, token);
      const winner = expr.of.find((e) => valueAt(e, terms, token) === target);
      return (
        target !== undefined && winner !== undefined && collect(winner, scale, terms, token, out)
      );
    }
    default:
      return false;
  }
}

function collectPair(
  expr: Extract<Expr, { kind: 'term' | 'penalise' | 'mix' }>,
  scale: number,
  terms: TermScoresById,
  token: number,
  out: Deltas,
): boolean {
  if (expr.kind === 'term') {
    const value = valueAt(expr, terms, token);
    if (value === undefined) return false;
    add(out, expr.id, scale * value);
    return true;
  }
  const other = expr.kind === 'penalise' ? expr.by : expr.toward;
  if (expr.base.kind !== 'term' || other.kind !== 'term') return false;
  const base = valueAt(expr.base, terms, token);
  const second = valueAt(other, terms, token);
  if (base === undefined || second === undefined) return false;
  add(out, expr.base.id, scale * base);
  if (expr.kind === 'penalise') {
    const gap = second - base;
    add(out, other.id, gap > 0 ? -scale * expr.beta * gap : 0);
  } else {
    const p = Math.exp(base);
    const mixed = Math.max(expr.floor, p + expr.alpha * (Math.exp(second) - p));
    add(out, other.id, scale * (Math.log(mixed) - base));
  }
  return true;
}

/**
 * Exact additive contribution of every term to a token's final score: linear parts by weight, a union to the side
 * that won, a penalty by its relu, a mixture as the change of the log. Undefined for formulas without such a split.
 */
export function contributions(
  expr: Expr,
  terms: TermScoresById,
  token: number,
): ReadonlyMap<string, number> | undefined {
  const norm = staticNorm(expr);
  if (norm === 'varies') return undefined;
  // The losing side of a union is a term too: it contributed nothing.
  const deltas: Deltas = new Map(termIds(expr).map((id) => [id, 0]));
  return collect(expr, 1 / norm, terms, token, deltas) ? deltas : undefined;
}
