// SafeInfer as one call: safety amplification on one row, the unsafe twin on another, sGDS over both.
import type { Intervention, Transformer } from '@safeinfer/transformer';
import { compile, type Plan } from '../plan/plan.ts';
import { safeInferFormula } from './formulas.ts';
import { type Source, sourceTerm } from './source.ts';

export interface SafeInferOptions {
  readonly model: Transformer;
  /** Safety amplification: the interventions of a steering plan. Empty or absent: sGDS alone. */
  readonly safe?: readonly Intervention[];
  /** The unsafe twin: `{ adapter }`, `{ model }`, or `{ prompt: { system | prefix } }` for a negative prompt. */
  readonly unsafe: Source;
  /** Default 0.99, as published; beta = lambda / (1 - lambda) is the slope that acts. */
  readonly lambda?: number;
  /** Instead of lambda. */
  readonly beta?: number;
}

/**
 * Plan of SafeInfer (Banerjee et al., AAAI-25): terms "safe" and "unsafe".
 * @throws BAD_ARGUMENT for lambda outside [0, 1) and whatever `compile` refuses.
 */
export function safeInfer(options: SafeInferOptions): Plan {
  const { model, safe, unsafe, lambda, beta } = options;
  return compile(
    safeInferFormula(
      sourceTerm('safe', model, safe === undefined ? {} : { interventions: safe }),
      sourceTerm('unsafe', model, unsafe),
      { ...(lambda === undefined ? {} : { lambda }), ...(beta === undefined ? {} : { beta }) },
    ),
  );
}
