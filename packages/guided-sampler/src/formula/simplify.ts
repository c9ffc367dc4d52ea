// Rewrites a formula to an equal one that is cheaper: nested sums flattened, S - lambda*union(U, S) in closed form.
import type { Expr, Part } from './expr.ts';
import { staticNorm } from './static-norm.ts';

/** True for the same node or structurally equal formulas (term identity is the id). */
export function sameExpr(a: Expr, b: Expr): boolean {
  if (a === b) return true;
  if (a.kind === 'term' && b.kind === 'term') return a.id === b.id;
  return JSON.stringify(a, dropSpec) === JSON.stringify(b, dropSpec);
}

function dropSpec(key: string, value: unknown): unknown {
  return key === 'spec' ? undefined : value;
}

/** Sums inside sums become one; equal summands are merged; zero weights vanish. */
function flattenParts(parts: readonly Part[]): readonly Part[] {
  const flat: Part[] = [];
  for (const { weight, of } of parts) {
    const inner =
      of.kind === 'sum' && of.norm === 'lma' ? flattenParts(of.parts) : [{ weight: 1, of }];
    for (const part of inner) {
      const scaled = { weight: weight * part.weight, of: part.of };
      const at = flat.findIndex((other) => sameExpr(other.of, scaled.of));
      const held = flat[at];
      if (held === undefined) flat.push(scaled);
      else flat[at] = { weight: held.weight + scaled.weight, of: held.of };
    }
  }
  return flat.filter((part) => part.weight !== 0);
}

/**
 * a*X - b*union(U, X) with norm-1 sides and a > b > 0 is (a - b) * (X - b/(a - b) * relu(U - X)):
 * dividing by the norm a - b leaves the penalty form, whose slope is the only number that matters.
 */
function closedUnion(parts: readonly Part[]): Expr | undefined {
  if (parts.length !== 2) return undefined;
  const plus = parts.find((part) => part.weight > 0);
  const minus = parts.find((part) => part.weight < 0);
  if (plus === undefined || minus === undefined || minus.of.kind !== 'union') return undefined;
  const [a, b] = [plus.weight, -minus.weight];
  const sides = minus.of.of;
  const others = sides.filter((side) => !sameExpr(side, plus.of));
  if (others.length === sides.length || others.length === 0 || a <= b) return undefined;
  if (staticNorm(plus.of) !== 1 || others.some((side) => !isDistribution(side))) return undefined;
  if (!isDistribution(plus.of)) return undefined;
  const by = others.length === 1 ? (others[0] as Expr) : undefined;
  return by === undefined ? undefined : { kind: 'penalise', base: plus.of, by, beta: b / (a - b) };
}

/** Value already normalised: dividing by its norm and log-softmax change nothing. */
function isDistribution(expr: Expr): boolean {
  return expr.kind === 'term' || expr.kind === 'temper';
}

/** An equal formula in the cheapest known form. `root` allows rewrites that hold only after the last normalisation. */
export function simplify(expr: Expr, root = true): Expr {
  switch (expr.kind) {
    case 'term':
    case 'constant':
      return expr;
    case 'sum': {
      if (expr.norm === 'none') {
        return {
          ...expr,
          parts: expr.parts.map((p) => ({ weight: p.weight, of: simplify(p.of) })),
        };
      }
      const parts = flattenParts(expr.parts).map((p) => ({
        weight: p.weight,
        of: simplify(p.of, false),
      }));
      const only = parts[0];
      // One part alone: its weight cancels against its own norm.
      if (root && parts.length === 1 && only !== undefined && only.weight > 0) return only.of;
      const closed = root ? closedUnion(parts) : undefined;
      return closed ?? { ...expr, parts };
    }
    case 'product':
      return { ...expr, of: [simplify(expr.of[0], false), simplify(expr.of[1], false)] };
    case 'union':
    case 'intersect':
      return { ...expr, of: expr.of.map((e) => simplify(e, false)) };
    case 'indicator':
      return { ...expr, of: simplify(expr.of, false) };
    case 'penalise':
      return { ...expr, base: simplify(expr.base), by: simplify(expr.by) };
    case 'mix':
      return { ...expr, base: simplify(expr.base), toward: simplify(expr.toward) };
    case 'temper':
      return { ...expr, of: simplify(expr.of) };
    case 'within':
      return { ...expr, of: simplify(expr.of, root) };
    case 'steps':
      return { ...expr, early: simplify(expr.early, root), late: simplify(expr.late, root) };
  }
}
