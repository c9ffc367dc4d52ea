// Refuses formulas that cannot be meant, when they are built and not in the middle of a generation.
import { SafeInferError } from '@safeinfer/backend';
import type { CandidateSet } from './candidate-set.ts';
import { describe } from './describe.ts';
import type { Expr } from './expr.ts';
import { staticNorm } from './static-norm.ts';
import { atStep, children, phaseStarts, termNodes } from './walk.ts';

function refuse(message: string, hint: string): never {
  throw new SafeInferError(message, { code: 'BAD_ARGUMENT', hint });
}

function checkSet(set: CandidateSet): void {
  switch (set.kind) {
    case 'plausible':
      if (!(set.alpha > 0 && set.alpha <= 1)) {
        refuse(
          `plausibility alpha is ${set.alpha}`,
          'it is a fraction of the highest probability: in (0, 1]',
        );
      }
      return;
    case 'nucleus':
      if (!(set.mass > 0 && set.mass <= 1)) {
        refuse(`nucleus mass is ${set.mass}: the set would be empty`, 'the mass is in (0, 1]');
      }
      return;
    case 'topK':
    case 'common': {
      const k = set.kind === 'topK' ? set.k : set.atLeast;
      if (!Number.isInteger(k) || k < 1) {
        refuse(`a candidate set of ${k} tokens`, 'use a whole number of at least 1');
      }
      return;
    }
    case 'tokens':
      if (set.ids.length === 0) refuse('a list of 0 allowed tokens', 'name at least one token id');
      return;
  }
}

function checkNode(expr: Expr): void {
  switch (expr.kind) {
    case 'constant':
      if (!Number.isFinite(expr.value)) refuse(`constant ${expr.value}`, 'use a finite number');
      return;
    case 'sum':
      if (expr.parts.length === 0) refuse('a sum of nothing', 'give a sum at least one part');
      for (const part of expr.parts) {
        if (!Number.isFinite(part.weight)) {
          refuse(`weight ${part.weight} of ${describe(part.of)}`, 'weights are finite numbers');
        }
      }
      if (expr.norm === 'none' && !expr.parts.some((part) => part.weight > 0)) {
        refuse(`${describe(expr)} has no positive weight`, 'at least one term must be preferred');
      }
      return;
    case 'union':
    case 'intersect':
      if (expr.of.length === 0) refuse(`an empty ${expr.kind}`, 'name at least one formula');
      return;
    case 'penalise':
      if (!(expr.beta >= 0 && Number.isFinite(expr.beta))) {
        refuse(
          `beta is ${expr.beta}`,
          'beta is a finite slope of at least 0; lambda 0.99 is beta 99',
        );
      }
      return;
    case 'mix':
      if (!Number.isFinite(expr.alpha) || !(expr.floor > 0)) {
        refuse(
          `mixing with alpha ${expr.alpha}, floor ${expr.floor}`,
          'alpha is finite and the floor positive',
        );
      }
      return;
    case 'temper':
      if (!(expr.temperature > 0 && Number.isFinite(expr.temperature))) {
        refuse(
          `temperature ${expr.temperature} of a term`,
          'a term temperature is a positive number',
        );
      }
      return;
    case 'within':
      checkSet(expr.set);
      return;
    case 'steps':
      if (!Number.isInteger(expr.first) || expr.first < 0) {
        refuse(
          `a schedule of ${expr.first} steps`,
          'count generated tokens with a whole number of at least 0',
        );
      }
      return;
    default:
      return;
  }
}

/** Distributions that are normalised on their own have norms of their own to check. */
function normalisedRoots(expr: Expr): readonly Expr[] {
  const inner = children(expr).flatMap(normalisedRoots);
  if (expr.kind === 'penalise') return [expr.base, expr.by, ...inner];
  if (expr.kind === 'mix') return [expr.base, expr.toward, ...inner];
  if (expr.kind === 'temper') return [expr.of, ...inner];
  if (expr.kind === 'sum' && expr.norm === 'none')
    return [...expr.parts.map((p) => p.of), ...inner];
  return inner;
}

/**
 * Checks a formula as a whole.
 * @throws BAD_ARGUMENT for norm <= 0, empty support, numbers out of range, or one id used for two different terms.
 */
export function checkFormula(expr: Expr): void {
  const visit = (e: Expr): void => {
    checkNode(e);
    for (const child of children(e)) visit(child);
  };
  visit(expr);
  const terms = termNodes(expr);
  if (terms.length === 0) refuse('a formula without terms', 'use at least one term');
  const seen = new Map<string, (typeof terms)[number]>();
  for (const node of terms) {
    const other = seen.get(node.id);
    if (other !== undefined && other.spec !== node.spec) {
      refuse(
        `two different terms are called "${node.id}"`,
        'give every term its own id, or share one term object',
      );
    }
    seen.set(node.id, node);
  }
  for (const step of phaseStarts(expr)) {
    const now = atStep(expr, step);
    for (const root of [now, ...normalisedRoots(now)]) {
      const norm = staticNorm(root);
      if (norm === 'varies' || norm > 1e-12) continue;
      refuse(
        `the norm of ${describe(root)} is ${norm}`,
        norm === 0
          ? 'weights that add up to 0 cannot be normalised: use combine(...) for a plain difference'
          : 'a negative norm inverts the distribution: the positive weights must outweigh the negative ones',
      );
    }
  }
}
