// Rows with a plan applied: checked, conditions decided, windows anchored at each row's own prompt end.
import { SafeInferError } from '@safeinfer/backend';
import type { Row, Transformer } from '@safeinfer/transformer';
import { checkPlan } from './check-plan.ts';
import { decideConditions } from './decide-conditions.ts';
import type { SteeringPlan } from './steering-plan.ts';
import { toInterventions } from './to-interventions.ts';

/**
 * The rows to pass to `forward` or `generate`: each with its own interventions after those it had. `tokens` of a
 * row, with what its cache holds, is its prompt. Throws what `checkPlan` and `decideConditions` throw.
 */
export async function steerRows<R extends Row>(options: {
  readonly model: Transformer;
  readonly plan: SteeringPlan;
  readonly rows: readonly R[];
  readonly signal?: AbortSignal | undefined;
}): Promise<R[]> {
  const { model, plan, rows } = options;
  checkPlan(plan, model.config);
  for (const { row } of plan.rows ?? []) {
    if (row < rows.length) continue;
    throw new SafeInferError(`the plan overrides row ${row}, but there are ${rows.length} rows`, {
      code: 'BAD_ARGUMENT',
      hint: 'rows count from 0',
    });
  }
  const decisions = await decideConditions(options);
  return rows.map((row, index) => ({
    ...row,
    interventions: [
      ...(row.interventions ?? []),
      ...toInterventions(plan, {
        row: index,
        promptLength: promptLength(model, row),
        decisions: decisions[index]!,
      }),
    ],
  }));
}

function promptLength(model: Transformer, { tokens, cache }: Row): number {
  const own = typeof tokens === 'string' ? model.tokenizer?.encode(tokens) : tokens;
  if (own === undefined) {
    throw new SafeInferError('a row is text, but the model has no tokenizer', {
      code: 'BAD_ARGUMENT',
      hint: 'pass token ids',
    });
  }
  return own.length + (cache?.length ?? 0);
}
