// The four operations of every decoding step, for equal sizes or a scalar: loops the JIT compiles to one instruction.

/** Fills `out` and returns true, or returns false for operands of other sizes. */
type FastLoop = (x: Float32Array, y: Float32Array, out: Float32Array) => boolean;

function add(x: Float32Array, y: Float32Array, out: Float32Array): boolean {
  const { length } = out;
  if (x.length !== length) return false;
  if (y.length === length) for (let i = 0; i < length; i++) out[i] = x[i]! + y[i]!;
  else if (y.length === 1) {
    const scalar = y[0]!;
    for (let i = 0; i < length; i++) out[i] = x[i]! + scalar;
  } else return false;
  return true;
}

function sub(x: Float32Array, y: Float32Array, out: Float32Array): boolean {
  const { length } = out;
  if (x.length !== length) return false;
  if (y.length === length) for (let i = 0; i < length; i++) out[i] = x[i]! - y[i]!;
  else if (y.length === 1) {
    const scalar = y[0]!;
    for (let i = 0; i < length; i++) out[i] = x[i]! - scalar;
  } else return false;
  return true;
}

function multiply(x: Float32Array, y: Float32Array, out: Float32Array): boolean {
  const { length } = out;
  if (x.length !== length) return false;
  if (y.length === length) for (let i = 0; i < length; i++) out[i] = x[i]! * y[i]!;
  else if (y.length === 1) {
    const scalar = y[0]!;
    for (let i = 0; i < length; i++) out[i] = x[i]! * scalar;
  } else return false;
  return true;
}

function divide(x: Float32Array, y: Float32Array, out: Float32Array): boolean {
  const { length } = out;
  if (x.length !== length) return false;
  if (y.length === length) for (let i = 0; i < length; i++) out[i] = x[i]! / y[i]!;
  else if (y.length === 1) {
    const scalar = y[0]!;
    for (let i = 0; i < length; i++) out[i] = x[i]! / scalar;
  } else return false;
  return true;
}

/** By tfjs kernel name. Equal length here means equal shape: neither operand is then broadcast. */
export const FAST_LOOPS: Readonly<Record<string, FastLoop>> = {
  Add: add,
  Sub: sub,
  Multiply: multiply,
  RealDiv: divide,
};
