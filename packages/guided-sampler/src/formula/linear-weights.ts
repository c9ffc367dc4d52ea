// Shift analysis: formulas that are linear in their terms need no log-softmax of any term, constants cancel.
import type { Expr } from './expr.ts';
import { staticNorm } from './static-norm.ts';

/** Weight of every term when the final scores are a weighted sum of raw scores; undefined when they are not. */
export function linearWeights(expr: Expr): ReadonlyMap<string, number> | undefined {
  if (expr.kind === 'term') return new Map([[expr.id, 1]]);
  if (expr.kind !== 'sum') return undefined;
  const norm = expr.norm === 'none' ? 1 : staticNorm(expr);
  if (norm === 'varies' || norm <= 0) return undefined;
  const weights = new Map<string, number>();
  for (const { weight, of } of expr.parts) {
    if (of.kind === 'constant' && expr.norm === 'lma') continue;
    if (of.kind !== 'term') return undefined;
    weights.set(of.id, (weights.get(of.id) ?? 0) + weight / norm);
  }
  return weights;
}
