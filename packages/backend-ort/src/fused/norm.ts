// RMSNorm and LayerNorm over the last axis in one pass.
import { CROSSOVER } from '../crossover.ts';
import type { Kernel } from '../kernels/kernel.ts';
import { ortValue, runSession } from '../native/binding.ts';

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
  const op = kind === 'rms' ? 'SimplifiedLayerNormalization' : 'LayerNormalization';
  const names = ['x', 'gain', ...(bias === undefined ? [] : ['bias'])];
  const biased = kind === 'rms' && bias !== undefined;
  const session = backend.sessions.get(`${op}/${eps}/${names.length}`, input.length, () => ({
    nodes: [
      {
        op,
        inputs: biased ? names.slice(0, 2) : names,
        outputs: [biased ? 'n' : 'y'],
        attributes: { axis: -1, epsilon: { float: eps } },
      },
      ...(biased ? [{ op: 'Add', inputs: ['n', 'bias'], outputs: ['y'] }] : []),
    ],
    inputs: names.map((name) => ({ name, type: 'float32' as const })),
    outputs: [{ name: 'y', type: 'float32' }],
  }));
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
