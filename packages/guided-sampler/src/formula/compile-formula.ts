// Chooses how a formula runs: a weighted sum, one blocked pass, the same over candidates only, or the literal form.
import { logSumExp } from '../numerics/log-sum-exp.ts';
import { setSources } from './candidate-set.ts';
import { checkFormula } from './check-formula.ts';
import type { Expr } from './expr.ts';
import { linearWeights } from './linear-weights.ts';
import { evaluateLogProbs, logSoftmax } from './literal.ts';
import { membersOf } from './members.ts';
import { BLOCK, type BlockNode, type PassInput, pointwiseNode } from './pointwise.ts';
import { simplify } from './simplify.ts';
import { staticNorm } from './static-norm.ts';
import { atStep, phaseStarts, termIds } from './walk.ts';

/** One term's scores at one position. The log-sum-exp is computed when first asked for and kept. */
export class TermScores {
  readonly logits: Float32Array;
  #logSumExp: number | undefined;

  constructor(logits: Float32Array) {
    this.logits = logits;
  }

  get logSumExp(): number {
    this.#logSumExp ??= logSumExp(this.logits).value;
    return this.#logSumExp;
  }

  logProb(token: number): number {
    return (this.logits[token] as number) - this.logSumExp;
  }
}

export type TermScoresById = ReadonlyMap<string, TermScores>;

/** One schedule phase of a formula, ready to run. */
export interface FormulaPhase {
  readonly from: number;
  /** The simplified formula that holds from this position on. */
  readonly expr: Expr;
  readonly terms: readonly string[];
  readonly method: 'linear' | 'fused' | 'candidates' | 'literal';
  /** Terms whose log-sum-exp the pass needs; empty for linear formulas. */
  readonly needsLogSumExp: readonly string[];
  /** Writes the scores before the last log-softmax, in float64; -Infinity marks tokens without support. */
  readonly evaluate: (terms: TermScoresById, out: Float64Array) => void;
}

export interface CompiledFormula {
  readonly source: Expr;
  readonly terms: readonly string[];
  readonly phases: readonly FormulaPhase[];
  phaseAt(step: number): FormulaPhase;
}

function runBlocks(
  node: BlockNode,
  input: PassInput,
  scale: number,
  size: number,
  out: Float64Array,
): void {
  for (let from = 0; from < size; from += BLOCK) {
    const to = Math.min(size, from + BLOCK);
    const block = out.subarray(from, to);
    node(input, from, to, block);
    if (scale !== 1) for (let i = 0; i < block.length; i++) block[i] = (block[i] as number) * scale;
  }
}

function linearPass(
  ids: readonly string[],
  weights: ReadonlyMap<string, number>,
): FormulaPhase['evaluate'] {
  const only = weights.size === 1 && weights.get(ids[0] as string) === 1;
  if (only) return (terms, out) => out.set((terms.get(ids[0] as string) as TermScores).logits);
  const expr: Expr = {
    kind: 'sum',
    norm: 'none',
    parts: [...weights].map(([id, weight]) => ({ weight, of: { kind: 'term', id } })),
  };
  const node = pointwiseNode(expr, (id) => ids.indexOf(id)) as BlockNode;
  const zeros = ids.map(() => 0);
  return (terms, out) => {
    const scores = ids.map((id) => (terms.get(id) as TermScores).logits);
    runBlocks(node, { scores, logSumExp: zeros }, 1, out.length, out);
  };
}

/** Gathers the candidates of every term, evaluates those alone and scatters the result. */
function candidatePass(
  expr: Extract<Expr, { kind: 'within' }>,
  ids: readonly string[],
  inner: BlockNode,
  scale: number,
  innerIsLinear: boolean,
): FormulaPhase['evaluate'] {
  const sources = setSources(expr.set).map(
    (source) => (source as Extract<Expr, { kind: 'term' }>).id,
  );
  return (terms, out) => {
    const members = membersOf(
      expr.set,
      sources.map((id) => {
        const term = terms.get(id) as TermScores;
        return {
          scores: term.logits,
          logSumExp: expr.set.kind === 'nucleus' ? term.logSumExp : 0,
        };
      }),
    );
    const scores = ids.map((id) => {
      const { logits } = terms.get(id) as TermScores;
      return Float32Array.from(members, (token) => logits[token] as number);
    });
    const lse = ids.map((id) => (innerIsLinear ? 0 : (terms.get(id) as TermScores).logSumExp));
    const compact = new Float64Array(members.length);
    runBlocks(inner, { scores, logSumExp: lse }, scale, members.length, compact);
    out.fill(Number.NEGATIVE_INFINITY);
    for (let i = 0; i < members.length; i++) out[members[i] as number] = compact[i] as number;
  };
}

function literalPass(expr: Expr, ids: readonly string[]): FormulaPhase['evaluate'] {
  return (terms, out) => {
    const logProbs = new Map(
      ids.map((id) => [id, logSoftmax((terms.get(id) as TermScores).logits)] as const),
    );
    out.set(evaluateLogProbs(expr, logProbs, 0));
  };
}

function compilePhase(source: Expr, from: number): FormulaPhase {
  const expr = simplify(atStep(source, from));
  const terms = termIds(expr);
  const slotOf = (id: string): number => terms.indexOf(id);
  const norm = staticNorm(expr);
  const scale = typeof norm === 'number' ? 1 / norm : 1;

  const weights = linearWeights(expr);
  if (weights !== undefined) {
    return {
      from,
      expr,
      terms,
      method: 'linear',
      needsLogSumExp: [],
      evaluate: linearPass(terms, weights),
    };
  }
  const node = norm === 'varies' ? undefined : pointwiseNode(expr, slotOf);
  if (node !== undefined) {
    const evaluate: FormulaPhase['evaluate'] = (values, out) => {
      const scores = terms.map((id) => (values.get(id) as TermScores).logits);
      const lse = terms.map((id) => (values.get(id) as TermScores).logSumExp);
      runBlocks(node, { scores, logSumExp: lse }, scale, out.length, out);
    };
    return { from, expr, terms, method: 'fused', needsLogSumExp: terms, evaluate };
  }
  if (expr.kind === 'within' && setSources(expr.set).every((s) => s.kind === 'term')) {
    const inner = pointwiseNode(expr.of, slotOf);
    if (inner !== undefined && norm !== 'varies') {
      const linear = linearWeights(expr.of) !== undefined;
      const nucleus = expr.set.kind === 'nucleus' ? termIds(expr.set.of) : [];
      return {
        from,
        expr,
        terms,
        method: 'candidates',
        needsLogSumExp: linear ? nucleus : terms,
        evaluate: candidatePass(expr, terms, inner, scale, linear),
      };
    }
  }
  return {
    from,
    expr,
    terms,
    method: 'literal',
    needsLogSumExp: terms,
    evaluate: literalPass(expr, terms),
  };
}

/**
 * Checks and compiles a formula.
 * @throws BAD_ARGUMENT as `checkFormula` does.
 */
export function compileFormula(expr: Expr): CompiledFormula {
  checkFormula(expr);
  const phases = phaseStarts(expr).map((from) => compilePhase(expr, from));
  return {
    source: expr,
    terms: termIds(expr),
    phases,
    phaseAt: (step) => phases.findLast((phase) => phase.from <= step) as FormulaPhase,
  };
}
