// Compiles the elementwise part of a formula to one pass in cache-sized blocks: no full-vocabulary intermediates.
import type { Expr } from './expr.ts';
import { LOG_ZERO } from './literal.ts';
import { staticNorm } from './static-norm.ts';

/** 1,024 doubles a register: a formula of ten nodes stays in the L1/L2 cache. */
export const BLOCK = 1024;

/** What a pass reads: per term slot its scores and the log-sum-exp that turns them into log-probabilities. */
export interface PassInput {
  readonly scores: readonly Float32Array[];
  readonly logSumExp: readonly number[];
}

/** Writes values of tokens [from, to) to out[0..to-from). */
export type BlockNode = (input: PassInput, from: number, to: number, out: Float64Array) => void;

const NONE = Number.NEGATIVE_INFINITY;

/** Sum with the log-0 rule of the literal form: positive parts decide support, negative ones count as LOG_ZERO. */
function sumNode(
  parts: readonly { readonly weight: number; readonly node: BlockNode }[],
): BlockNode {
  const ordered = [...parts].sort((a, b) => b.weight - a.weight);
  const scratch = new Float64Array(BLOCK);
  return (input, from, to, out) => {
    const n = to - from;
    out.fill(0, 0, n);
    for (const { weight, node } of ordered) {
      node(input, from, to, scratch);
      for (let i = 0; i < n; i++) {
        const value = scratch[i] as number;
        if (value === NONE) {
          if (weight > 0) out[i] = NONE;
          else (out[i] as number) += weight * LOG_ZERO;
        } else (out[i] as number) += weight * value;
      }
    }
  };
}

function extremeNode(nodes: readonly BlockNode[], sign: 1 | -1): BlockNode {
  const scratch = new Float64Array(BLOCK);
  const [first, ...rest] = nodes as [BlockNode, ...BlockNode[]];
  return (input, from, to, out) => {
    first(input, from, to, out);
    for (const node of rest) {
      node(input, from, to, scratch);
      for (let i = 0; i < to - from; i++) {
        if (sign * (scratch[i] as number) > sign * (out[i] as number))
          out[i] = scratch[i] as number;
      }
    }
  };
}

/** A term read directly from its array, as a distribution. */
function termNode(slot: number): BlockNode {
  return (input, from, to, out) => {
    const scores = input.scores[slot] as Float32Array;
    const offset = input.logSumExp[slot] as number;
    for (let i = from; i < to; i++) out[i - from] = (scores[i] as number) - offset;
  };
}

/**
 * At the root the level of the base's own scores is kept: with beta 0 the result is the base, bit for bit. Inside
 * another node (`level` 1) values are log-probabilities.
 */
function penaliseNode(base: number, by: number, beta: number, level: 0 | 1): BlockNode {
  return (input, from, to, out) => {
    const s = input.scores[base] as Float32Array;
    const u = input.scores[by] as Float32Array;
    const shift = (input.logSumExp[base] as number) - (input.logSumExp[by] as number);
    const offset = level * (input.logSumExp[base] as number);
    for (let i = from; i < to; i++) {
      const value = s[i] as number;
      // Both -Infinity gives NaN here, which is not > 0: no support stays no support.
      const gap = (u[i] as number) - value + shift;
      out[i - from] = (gap > 0 && value !== NONE ? value - beta * gap : value) - offset;
    }
  };
}

function mixNode(base: number, toward: number, alpha: number, floor: number): BlockNode {
  return (input, from, to, out) => {
    const b = input.scores[base] as Float32Array;
    const t = input.scores[toward] as Float32Array;
    const [lb, lt] = [input.logSumExp[base] as number, input.logSumExp[toward] as number];
    for (let i = from; i < to; i++) {
      const p = Math.exp((b[i] as number) - lb);
      const mixed = p + alpha * (Math.exp((t[i] as number) - lt) - p);
      out[i - from] = Math.log(Math.max(mixed, floor));
    }
  };
}

/**
 * The node for an elementwise formula over plain terms, or undefined when something inside needs a reduction of its
 * own (a nested distribution, a candidate set, a norm that varies).
 */
export function pointwiseNode(
  expr: Expr,
  slotOf: (id: string) => number,
  level: 0 | 1 = 0,
): BlockNode | undefined {
  const slot = (e: Expr): number | undefined => (e.kind === 'term' ? slotOf(e.id) : undefined);
  const all = (of: readonly Expr[]): readonly BlockNode[] | undefined => {
    const nodes = of.map((e) => pointwiseNode(e, slotOf, 1));
    return nodes.every((n) => n !== undefined) ? nodes : undefined;
  };
  switch (expr.kind) {
    case 'term':
      return termNode(slotOf(expr.id));
    case 'constant': {
      const { value } = expr;
      return (_input, from, to, out) => out.fill(value, 0, to - from);
    }
    case 'sum': {
      if (expr.norm === 'none' && expr.parts.some((p) => p.of.kind !== 'term')) return undefined;
      const nodes = all(expr.parts.map((p) => p.of));
      return (
        nodes &&
        sumNode(expr.parts.map((p, i) => ({ weight: p.weight, node: nodes[i] as BlockNode })))
      );
    }
    case 'union':
    case 'intersect': {
      if (staticNorm(expr) === 'varies') return undefined;
      const nodes = all(expr.of);
      return nodes && extremeNode(nodes, expr.kind === 'union' ? 1 : -1);
    }
    case 'penalise': {
      const [base, by] = [slot(expr.base), slot(expr.by)];
      return base === undefined || by === undefined
        ? undefined
        : penaliseNode(base, by, expr.beta, level);
    }
    case 'mix': {
      const [base, toward] = [slot(expr.base), slot(expr.toward)];
      return base === undefined || toward === undefined
        ? undefined
        : mixNode(base, toward, expr.alpha, expr.floor);
    }
    default:
      return undefined;
  }
}
