// Activations value by value, for so few values that calls of a native library cost more.
import type { FusedActivation } from './fused-kernels.ts';

/** Exact GELU is not among them: JavaScript lacks erf. */
export const ACTIVATION_LOOPS: Readonly<
  Record<Exclude<FusedActivation, 'gelu' | 'relu'>, (x: number) => number>
> = {
  gelu_tanh: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x))),
  quick_gelu: (x) => x / (1 + Math.exp(-1.702 * x)),
  silu: (x) => x / (1 + Math.exp(-x)),
};
