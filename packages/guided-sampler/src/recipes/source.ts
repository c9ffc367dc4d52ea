// Where a recipe's second distribution comes from: an adapter, another checkpoint, steering, or another prompt.
import type { Intervention, Transformer } from '@safeinfer/transformer';
import { type Expr, term } from '../formula/expr.ts';
import type { PromptRule } from '../plan/prompt.ts';
import type { TermSpec } from '../plan/term-spec.ts';

/** What makes a term differ from the plain model; at least one of the fields. */
export interface Source {
  /** A second checkpoint; default: the recipe's model. */
  readonly model?: Transformer;
  /** Adapter(s) loaded on that model. */
  readonly adapter?: string | readonly string[];
  readonly interventions?: readonly Intervention[];
  /** Its own framing of the prompt: `{ system }`, `{ prefix }` or a function. */
  readonly prompt?: PromptRule;
}

/** A term of `model`, changed as `source` says. */
export function sourceTerm(id: string, model: Transformer, source: Source = {}): Expr {
  const spec: TermSpec = { model, ...source };
  return term(id, spec);
}
