// MLP activations, alone or times the up projection.
import { ACTIVATION_LOOPS, type FusedActivation } from '@safeinfer/backend';
import { CROSSOVER } from '../crossover.ts';
import { type Kernel, type KernelCall, sizeOf } from '../kernels/kernel.ts';
import { activationForward } from '../kernels/training/activation-graph.ts';
import { ortValue, runSession } from '../native/binding.ts';
import { Graph } from '../onnx/graph.ts';

/** Loops for few elements; exact GELU has none, JavaScript lacks erf. */
const LOOP: Readonly<Partial<Record<FusedActivation, (x: number) => number>>> = {
  ...ACTIVATION_LOOPS,
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
  const session = backend.sessions.get(`activation/${name}/${factor !== undefined}`, size, () => {
    const graph = new Graph();
    const activated = activationForward(graph, name, graph.input('x'));
    const y = factor === undefined ? activated : graph.mul(activated, graph.input('up'));
    graph.output('y', y);
    return graph.spec();
  });
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
