// The unit of every forward pass: one sequence with its own adapter, interventions and cache.

import type { RowCache } from '../cache/row-cache.ts';
import type { Intervention } from '../hooks/intervention.ts';

/** One sequence of a forward pass. Rows are ragged; padding is internal and invisible. */
export interface Row {
  /** Token ids, or text when the model carries a tokenizer (special tokens as the tokenizer adds them). */
  readonly tokens: readonly number[] | string;
  /** Name(s) of loaded adapters (LoRA or low-rank edits) of this row, applied in this order. */
  readonly adapter?: string | readonly string[];
  readonly interventions?: readonly Intervention[];
  /** Keys and values of this row's earlier tokens; extended in place by this pass. */
  readonly cache?: RowCache;
  /** Whether these tokens are prompt or generated ones, for interventions' `during`. Default 'prompt'. */
  readonly phase?: 'prompt' | 'generation';
}
