// How one term of a formula gets its distribution: model, adapter, interventions, and its own view of the prompt.
import type { Intervention, Transformer } from '@safeinfer/transformer';
import type { PromptRule } from './prompt.ts';

/** Where a distribution comes from. Terms that share `model` run as rows of one forward pass. */
export interface TermSpec {
  readonly model: Transformer;
  /** Name(s) of adapters loaded on the model. */
  readonly adapter?: string | readonly string[];
  readonly interventions?: readonly Intervention[];
  /** This term's own framing of the prompt; default: the prompt as given. */
  readonly prompt?: PromptRule;
}
