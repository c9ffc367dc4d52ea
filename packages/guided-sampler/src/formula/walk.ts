// Structure of a formula: its direct parts and the terms it reads.
import { setSources } from './candidate-set.ts';
import type { Expr } from './expr.ts';

/** Direct sub-formulas, those of candidate sets included. */
export function children(expr: Expr): readonly Expr[] {
  switch (expr.kind) {
    case 'term':
    case 'constant':
      return [];
    case 'sum':
      return expr.parts.map((part) => part.of);
    case 'product':
    case 'union':
    case 'intersect':
      return expr.of;
    case 'indicator':
    case 'temper':
      return [expr.of];
    case 'penalise':
      return [expr.base, expr.by];
    case 'mix':
      return [expr.base, expr.toward];
    case 'within':
      return [expr.of, ...setSources(expr.set)];
    case 'steps':
      return [expr.early, expr.late];
  }
}

/** Every term node, in reading order, repeated ids included. */
export function termNodes(expr: Expr): readonly Extract<Expr, { kind: 'term' }>[] {
  if (expr.kind === 'term') return [expr];
  return children(expr).flatMap((child) => [...termNodes(child)]);
}

/** Ids of the terms, each once, in order of first appearance. */
export function termIds(expr: Expr): readonly string[] {
  return [...new Set(termNodes(expr).map((node) => node.id))];
}

/** The formula that holds at generated position `step`: every schedule is resolved. */
export function atStep(expr: Expr, step: number): Expr {
  switch (expr.kind) {
    case 'term':
    case 'constant':
      return expr;
    case 'steps':
      return atStep(step < expr.first ? expr.early : expr.late, step);
    case 'sum':
      return {
        ...expr,
        parts: expr.parts.map((p) => ({ weight: p.weight, of: atStep(p.of, step) })),
      };
    case 'product':
      return { ...expr, of: [atStep(expr.of[0], step), atStep(expr.of[1], step)] };
    case 'union':
    case 'intersect':
      return { ...expr, of: expr.of.map((e) => atStep(e, step)) };
    case 'indicator':
    case 'temper':
      return { ...expr, of: atStep(expr.of, step) };
    case 'penalise':
      return { ...expr, base: atStep(expr.base, step), by: atStep(expr.by, step) };
    case 'mix':
      return { ...expr, base: atStep(expr.base, step), toward: atStep(expr.toward, step) };
    case 'within':
      return { ...expr, of: atStep(expr.of, step), set: expr.set };
  }
}

/** The positions at which the formula changes: 0 and every schedule's end, ascending. */
export function phaseStarts(expr: Expr): readonly number[] {
  const starts = new Set<number>([0]);
  const visit = (e: Expr): void => {
    if (e.kind === 'steps') starts.add(e.first);
    for (const child of children(e)) visit(child);
  };
  visit(expr);
  return [...starts].sort((a, b) => a - b);
}
