// MLP activations, alone or times the up projection.
import type { FusedActivation } from '@safeinfer/backend';
import { CROSSOVER } from '../crossover.ts';
import { type Kernel, type KernelCall, sizeOf } from '../kernels/kernel.ts';
import { ortValue, runSession } from '../native/binding.ts';
import type { NodeSpec } from '../onnx/model.ts';

/** Each activation as one node from x to a. */
const NODE: Readonly<Record<FusedActivation, Omit<NodeSpec, 'inputs' | 'outputs'>>> = {
  gelu: { op: 'Gelu', attributes: { approximate: 'none' } },
  gelu_tanh: { op: 'Gelu', attributes: { approximate: 'tanh' } },
  quick_gelu: { op: 'QuickGelu', attributes: { alpha: { float: 1.702 } }, contrib: true },
  silu: { op: 'QuickGelu', attributes: { alpha: { float: 1 } }, contrib: true },
  relu: { op: 'Relu' },
};

/** Loops for few elements; exact GELU has none, JavaScript lacks erf. */
const LOOP: Readonly<Partial<Record<FusedActivation, (x: number) => number>>> = {
  gelu_tanh: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x))),
  quick_gelu: (x) => x / (1 + Math.exp(-1.702 * x)),
  silu: (x) => x / (1 + Math.exp(-x)),
  relu: (x) => (x > 0 ? x : x - x === 0 || x === Number.NEGATIVE_INFINITY ? 0 : x),
};

export const activation: Kernel = (call) => apply(call, call.inputs['x']!, undefined);
export const gate: Kernel = (call) => apply(call, call.inputs['gate']!, call.inputs['up']!);

function apply(
  { attrs, backend }: KernelCall,
  x: KernelCall['inputs'][string],
  up: KernelCall['inputs'][string] | undefined,
) {
  const name = attrs['activation'] as FusedActivation;
  const size = sizeOf(x.shape);
  const input = backend.floats(x);
  const factor = up === undefined ? undefined : backend.floats(up);
  const out = backend.output(x.shape);
  const loop = LOOP[name];
  // By the width, as norms: rows that a whole block computes natively get the same bits here.
  if (loop !== undefined && x.shape.at(-1)! < CROSSOVER.activation) {
    for (let i = 0; i < size; i++) out.values[i] = loop(input[i]!) * (factor?.[i] ?? 1);
    return out.info;
  }
  const session = backend.sessions.get(`activation/${name}/${factor !== undefined}`, size, () => ({
    nodes: [
      { ...NODE[name], inputs: ['x'], outputs: [factor === undefined ? 'y' : 'a'] },
      ...(factor === undefined ? [] : [{ op: 'Mul', inputs: ['a', 'up'], outputs: ['y'] }]),
    ],
    inputs: ['x', ...(factor === undefined ? [] : ['up'])].map((input) => ({
      name: input,
      type: 'float32' as const,
    })),
    outputs: [{ name: 'y', type: 'float32' }],
  }));
  runSession(
    session,
    {
      x: ortValue('float32', input, [size]),
      ...(factor === undefined ? {} : { up: ortValue('float32', factor, [size]) }),
    },
    { y: ortValue('float32', out.values, [size]) },
  );
  return out.info;
}
