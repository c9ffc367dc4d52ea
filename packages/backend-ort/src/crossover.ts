// From which size a native call beats a loop in JavaScript: 10 to 15 microseconds against nanoseconds an element.

type Sized =
  | 'matMul'
  | 'binary'
  | 'transcendental'
  | 'unary'
  | 'reduce'
  | 'softmax'
  | 'transpose'
  | 'norm'
  | 'activation';

/**
 * Set to 1, every operation that has a native form uses it: how the conformance job tests the small cases. Set
 * to `never`, none does: how the crossovers are measured (tools/bench/crossover.ts).
 */
const forced = process.env['SAFEINFER_ORT_ALWAYS_NATIVE'];
const from = (size: number): number =>
  forced === '1' ? 0 : forced === 'never' ? Number.POSITIVE_INFINITY : size;

/**
 * A call costs 10 to 15 microseconds. Sizes are elements of the output (of the input for reductions),
 * multiply-adds for products, unless said otherwise.
 */
export const CROSSOVER: Readonly<Record<Sized, number>> = {
  /** A loop does about 1 multiply-add a nanosecond. */
  matMul: from(8192),
  /** add, mul, ... at 2 to 4 ns an element in JavaScript. */
  binary: from(4096),
  /** exp, tanh, erf, ... at 10 ns and more. */
  transcendental: from(1024),
  /** sqrt, abs, relu, ... */
  unary: from(4096),
  reduce: from(16384),
  softmax: from(1024),
  transpose: from(16384),
  /**
   * Width of a row, whatever the number of rows: a row must get the same bits in any company, and in the graph of a
   * whole block.
   */
  norm: from(128),
  activation: from(128),
};
