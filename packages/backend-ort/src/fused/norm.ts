// RMSNorm and LayerNorm over the last axis in one pass.
import { CROSSOVER } from '../crossover.ts';
import type { Kernel } from '../kernels/kernel.ts';
import { ortValue, runSession } from '../native/binding.ts';
import { Graph } from '../onnx/graph.ts';

export const norm: Kernel = ({ inputs, attrs, backend }) => {
  const x = inputs['x']!;
  const kind = attrs['kind'] as 'rms' | 'layer';
  const eps = attrs['eps'] as number;
  const width = x.shape.at(-1)!;
  const input = backend.floats(x);
  const gain = shifted(backend.floats(inputs['gain']!), attrs['gainOffset'] as number);
  const bias = inputs['bias'] === undefined ? undefined : backend.floats(inputs['bias']);
  const out = backend.output(x.shape);
  // By the width, not the number of rows: a row gets the same bits whatever other rows there are.
  if (width < CROSSOVER.norm) {
    const loop = kind === 'rms' ? rmsLoop : layerLoop;
    loop({ input, gain, bias, width, eps, out: out.values });
    return out.info;
  }
  const signature = `norm/${kind}/${eps}/${bias !== undefined}`;
  const session = backend.sessions.get(signature, input.length, () => {
    const graph = new Graph();
    const own = bias === undefined ? undefined : graph.input('bias');
    const parts = { x: graph.input('x'), gain: graph.input('gain'), bias: own };
    graph.output('y', normOf(graph, { kind, eps }, parts));
    return graph.spec();
  });
  runSession(
    session,
    {
      x: ortValue('float32', input, [input.length / width, width]),
      gain: ortValue('float32', gain, [width]),
      ...(bias === undefined ? {} : { bias: ortValue('float32', bias, [width]) }),
    },
    { y: ortValue('float32', out.values, [input.length / width, width]) },
  );
  return out.info;
};

/** Adds the norm over the last axis: one form for norms alone and in a whole block, which must give the same bits. */
export function normOf(
  graph: Graph,
  { kind, eps }: { readonly kind: 'rms' | 'layer'; readonly eps: number },
  parts: { readonly x: string; readonly gain: string; readonly bias: string | undefined },
): string {
  const { x, gain, bias } = parts;
  const attributes = { axis: -1, epsilon: { float: eps } };
  if (kind === 'layer') {
    const inputs = bias === undefined ? [x, gain] : [x, gain, bias];
    return graph.op('LayerNormalization', inputs, attributes);
  }
  const y = graph.op('SimplifiedLayerNormalization', [x, gain], attributes);
  return bias === undefined ? y : graph.add(y, bias);
}

function shifted(gain: Float32Array, offset: number): Float32Array {
  return offset === 0 ? gain : gain.map((value) => value + offset);
}

interface Loop {
  readonly input: Float32Array;
  readonly gain: Float32Array;
  readonly bias: Float32Array | undefined;
  readonly width: number;
  readonly eps: number;
  readonly out: Float32Array;
}

function rmsLoop({ input, gain, bias, width, eps, out }: Loop): void {
  for (let start = 0; start < input.length; start += width) {
    let squares = 0;
    for (let i = 0; i < width; i++) squares += input[start + i]! * input[start + i]!;
    finish({
      input,
      gain,
      bias,
      width,
      out,
      start,
      mean: 0,
      scale: 1 / Math.sqrt(squares / width + eps),
    });
  }
}

function layerLoop({ input, gain, bias, width, eps, out }: Loop): void {
  for (let start = 0; start < input.length; start += width) {
    let sum = 0;
    for (let i = 0; i < width; i++) sum += input[start + i]!;
    const mean = sum / width;
    let squares = 0;
    for (let i = 0; i < width; i++) squares += (input[start + i]! - mean) ** 2;
    finish({
      input,
      gain,
      bias,
      width,
      out,
      start,
      mean,
      scale: 1 / Math.sqrt(squares / width + eps),
    });
  }
}

function finish(
  row: Omit<Loop, 'eps'> & {
    readonly start: number;
    readonly mean: number;
    readonly scale: number;
  },
): void {
  const { input, gain, bias, width, out, start, mean, scale } = row;
  for (let i = 0; i < width; i++) out[start + i] = (input[start + i]! - mean) * scale * gain[i]!;
  if (bias === undefined) return;
  for (let i = 0; i < width; i++) out[start + i]! += bias[i]!;
}
