// A plan in words: what runs, how it is combined, what may be skipped.
import { describe } from '../formula/describe.ts';
import type { Plan, PlanTerm } from './plan.ts';

function explainTerm({ id, spec }: PlanTerm, models: readonly unknown[]): string {
  const model = models.length > 1 ? `model ${models.indexOf(spec.model) + 1}` : 'the model';
  const adapter =
    spec.adapter === undefined ? '' : ` with adapter ${[spec.adapter].flat().join(' + ')}`;
  const count = spec.interventions?.length ?? 0;
  const steered = count === 0 ? '' : `, ${count} intervention${count === 1 ? '' : 's'}`;
  const { prompt } = spec;
  const framed =
    prompt === undefined
      ? ''
      : typeof prompt === 'function'
        ? ', its own framing of the prompt'
        : 'system' in prompt
          ? ', its own system message'
          : ', its own prefix';
  return `  ${id}: ${model}${adapter}${steered}${framed}`;
}

const METHODS = {
  linear: 'a weighted sum of raw scores; no term needs a log-softmax',
  fused: 'one pass over the vocabulary in closed form',
  candidates: 'one pass over the candidate tokens only',
  literal: 'evaluated literally in float64 (no fused form is known)',
} as const;

/** Several lines of text. */
export function explainPlan(plan: Omit<Plan, 'explain'>): string {
  const models = [...new Set(plan.terms.map((t) => t.spec.model))];
  const lines = [
    `formula: ${describe(plan.formula.source)}`,
    'terms:',
    ...plan.terms.map((t) => explainTerm(t, models)),
    models.length === 1
      ? `rows: ${plan.terms.length} per prompt, in one forward pass over shared weights`
      : `rows: ${plan.terms.length} per prompt over ${models.length} models, one forward pass each`,
  ];
  plan.formula.phases.forEach((phase, index) => {
    const rule = plan.skipRules[index];
    lines.push(
      `from generated token ${phase.from}: ${describe(phase.expr)}`,
      `  computed as ${METHODS[phase.method]}`,
      `  needs ${phase.terms.join(', ')}`,
      rule === undefined
        ? '  every term runs at every token'
        : `  ${rule.text}; a skipped term catches up when it is next needed`,
    );
  });
  return lines.join('\n');
}
