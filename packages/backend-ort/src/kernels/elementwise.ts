// Binary and unary operations: a loop for few elements, one native call for many.
import { broadcast_util, type DataType, type TensorInfo } from '@tensorflow/tfjs-core';
import { CROSSOVER } from '../crossover.ts';
import { ortValue, runSession } from '../native/binding.ts';
import type { NodeSpec } from '../onnx/model.ts';
import { broadcastLoop } from './broadcast.ts';
import { FAST_LOOPS } from './fast-loops.ts';
import { type Kernel, sizeOf } from './kernel.ts';

interface BinaryOp {
  readonly op: (x: number, y: number) => number;
  /** ONNX operator of the same meaning; absent where there is none (or it loses NaN). */
  readonly onnx?: string;
}

const ARITHMETIC: Readonly<Record<string, BinaryOp>> = {
  Add: { op: (x, y) => x + y, onnx: 'Add' },
  Sub: { op: (x, y) => x - y, onnx: 'Sub' },
  Multiply: { op: (x, y) => x * y, onnx: 'Mul' },
  RealDiv: { op: (x, y) => x / y, onnx: 'Div' },
  Maximum: { op: (x, y) => Math.max(x, y), onnx: 'Max' },
  Minimum: { op: (x, y) => Math.min(x, y), onnx: 'Min' },
  SquaredDifference: { op: (x, y) => (x - y) * (x - y) },
  Pow: { op: (x, y) => x ** y, onnx: 'Pow' },
};

const COMPARISONS: Readonly<Record<string, BinaryOp>> = {
  Equal: { op: (x, y) => (x === y ? 1 : 0), onnx: 'Equal' },
  NotEqual: { op: (x, y) => (x !== y ? 1 : 0) },
  Greater: { op: (x, y) => (x > y ? 1 : 0), onnx: 'Greater' },
  GreaterEqual: { op: (x, y) => (x >= y ? 1 : 0), onnx: 'GreaterOrEqual' },
  Less: { op: (x, y) => (x < y ? 1 : 0), onnx: 'Less' },
  LessEqual: { op: (x, y) => (x <= y ? 1 : 0), onnx: 'LessOrEqual' },
};

interface UnaryOp {
  /** The loop for few elements; absent where the native form is used always. */
  readonly op?: (x: number) => number;
  readonly nodes: readonly NodeSpec[];
  readonly from: number;
}

const chain = (...ops: string[]): NodeSpec[] =>
  ops.map((op, index) => ({
    op,
    inputs: [index === 0 ? 'x' : `t${index - 1}`],
    outputs: [index === ops.length - 1 ? 'y' : `t${index}`],
  }));
const cheap = CROSSOVER.unary;
const costly = CROSSOVER.transcendental;

/** Unary operations whose native form agrees with the loop, NaN included. */
const UNARY: Readonly<Record<string, UnaryOp>> = {
  Exp: { op: Math.exp, nodes: chain('Exp'), from: costly },
  Log: { op: Math.log, nodes: chain('Log'), from: costly },
  Tanh: { op: Math.tanh, nodes: chain('Tanh'), from: costly },
  Sigmoid: { op: (x) => 1 / (1 + Math.exp(-x)), nodes: chain('Sigmoid'), from: costly },
  // JavaScript has no erf, and tfjs-cpu's polynomial is off by up to 1.5e-7.
  Erf: { nodes: chain('Erf'), from: 0 },
  Sin: { op: Math.sin, nodes: chain('Sin'), from: costly },
  Cos: { op: Math.cos, nodes: chain('Cos'), from: costly },
  Sqrt: { op: Math.sqrt, nodes: chain('Sqrt'), from: cheap },
  Rsqrt: { op: (x) => 1 / Math.sqrt(x), nodes: chain('Sqrt', 'Reciprocal'), from: cheap },
  Neg: { op: (x) => -x, nodes: chain('Neg'), from: cheap },
  Abs: { op: Math.abs, nodes: chain('Abs'), from: cheap },
  Reciprocal: { op: (x) => 1 / x, nodes: chain('Reciprocal'), from: cheap },
  Relu: { op: (x) => Math.max(0, x), nodes: chain('Relu'), from: cheap },
  Square: {
    op: (x) => x * x,
    nodes: [{ op: 'Mul', inputs: ['x', 'x'], outputs: ['y'] }],
    from: cheap,
  },
};

/** Kernels by tfjs name. */
export function elementwiseKernels(): Record<string, Kernel> {
  const kernels: Record<string, Kernel> = {};
  for (const [name, op] of Object.entries(ARITHMETIC)) kernels[name] = binary(name, op, 'float32');
  for (const [name, op] of Object.entries(COMPARISONS)) kernels[name] = binary(name, op, 'bool');
  for (const [name, op] of Object.entries(UNARY)) kernels[name] = unary(name, op);
  return kernels;
}

function binary(name: string, { op, onnx }: BinaryOp, dtype: 'float32' | 'bool'): Kernel {
  return ({ inputs, backend }) => {
    const a = inputs['a']!;
    const b = inputs['b']!;
    if (a.dtype !== 'float32' || b.dtype !== 'float32') return undefined;
    const shape = broadcast_util.assertAndGetBroadcastShape(a.shape, b.shape);
    const size = sizeOf(shape);
    if (size === 0) return undefined;
    const x = backend.floats(a);
    const y = backend.floats(b);
    const { info, values } = outputOf(backend, shape, dtype);
    const fast = FAST_LOOPS[name];
    if (fast !== undefined && size < CROSSOVER.binary && fast(x, y, values as Float32Array)) {
      return info;
    }
    if (onnx === undefined || size < CROSSOVER.binary) {
      broadcastLoop({ op, a: x, aShape: a.shape, b: y, bShape: b.shape, shape, out: values });
      return info;
    }
    const session = backend.sessions.get(`binary/${name}`, size, () => ({
      nodes: [{ op: onnx, inputs: ['a', 'b'], outputs: ['y'] }],
      inputs: [
        { name: 'a', type: 'float32' },
        { name: 'b', type: 'float32' },
      ],
      outputs: [{ name: 'y', type: dtype }],
    }));
    runSession(
      session,
      { a: ortValue('float32', x, a.shape), b: ortValue('float32', y, b.shape) },
      { y: ortValue(dtype, values, shape) },
    );
    return info;
  };
}

function outputOf(
  backend: Parameters<Kernel>[0]['backend'],
  shape: number[],
  dtype: DataType,
): { info: TensorInfo; values: Float32Array | Uint8Array } {
  if (dtype === 'float32') return backend.output(shape);
  const values = new Uint8Array(sizeOf(shape));
  return { info: backend.makeTensorInfo(shape, 'bool', values), values };
}

function unary(name: string, { op, nodes, from }: UnaryOp): Kernel {
  return ({ inputs, backend }) => {
    const x = inputs['x']!;
    const size = sizeOf(x.shape);
    if (x.dtype !== 'float32' || size === 0) return undefined;
    const input = backend.floats(x);
    const out = backend.output(x.shape);
    if (op !== undefined && size < from) {
      for (let index = 0; index < size; index++) out.values[index] = op(input[index]!);
      return out.info;
    }
    const session = backend.sessions.get(`unary/${name}`, size, () => ({
      nodes,
      inputs: [{ name: 'x', type: 'float32' }],
      outputs: [{ name: 'y', type: 'float32' }],
    }));
    runSession(
      session,
      { x: ortValue('float32', input, [size]) },
      { y: ortValue('float32', out.values, [size]) },
    );
    return out.info;
  };
}
