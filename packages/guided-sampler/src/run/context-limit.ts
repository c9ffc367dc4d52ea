// The model's context as a limit on prompts and answers.
import { SafeInferError } from '@safeinfer/backend';
import type { Plan } from '../plan/plan.ts';

/** @throws CONTEXT_OVERFLOW when a prompt leaves no room for one token. */
export function compareContext(check: {
  readonly prompt: number;
  readonly term: string;
  readonly tokens: number;
  readonly positions: number;
}): void {
  if (check.tokens <= check.positions) return;
  throw new SafeInferError(
    `prompt ${check.prompt} has ${check.tokens} tokens for term "${check.term}", its model has ${check.positions} positions`,
    { code: 'CONTEXT_OVERFLOW', hint: 'shorten the prompt: nothing is cut silently' },
  );
}

/** Tokens an answer can have before the first of its terms runs out of positions. */
export function roomFor(plan: Plan, prompts: readonly (readonly number[])[]): number {
  return Math.min(
    ...plan.terms.map(
      // The last token is chosen but never fed, hence one more than the free positions.
      ({ spec }, i) =>
        spec.model.config.maxPositions - (prompts[i] as readonly number[]).length + 1,
    ),
  );
}
