// Softmax over the last axis, and its logarithm.
import { CROSSOVER } from '../crossover.ts';
import { ortValue, runSession } from '../native/binding.ts';
import { type Kernel, sizeOf } from './kernel.ts';

function softmaxKernel(onnx: 'Softmax' | 'LogSoftmax'): Kernel {
  return ({ inputs, attrs, backend }) => {
    const x = inputs['logits']!;
    const dim = (attrs['dim'] ?? attrs['axis']) as number;
    const rank = x.shape.length;
    const size = sizeOf(x.shape);
    if (x.dtype !== 'float32' || size === 0 || (dim !== -1 && dim !== rank - 1)) return undefined;
    const width = x.shape[rank - 1] ?? 1;
    const input = backend.floats(x);
    const out = backend.output(x.shape);
    if (size < CROSSOVER.softmax) {
      loop(input, width, out.values, onnx === 'LogSoftmax');
      return out.info;
    }
    const session = backend.sessions.get(onnx, size, () => ({
      nodes: [{ op: onnx, inputs: ['x'], outputs: ['y'], attributes: { axis: -1 } }],
      inputs: [{ name: 'x', type: 'float32' }],
      outputs: [{ name: 'y', type: 'float32' }],
    }));
    const dims = [size / width, width];
    runSession(
      session,
      { x: ortValue('float32', input, dims) },
      { y: ortValue('float32', out.values, dims) },
    );
    return out.info;
  };
}

function loop(input: Float32Array, width: number, out: Float32Array, logarithm: boolean): void {
  for (let start = 0; start < input.length; start += width) {
    let largest = Number.NEGATIVE_INFINITY;
    for (let i = start; i < start + width; i++) largest = Math.max(largest, input[i]!);
    let total = 0;
    for (let i = start; i < start + width; i++) {
      const power = Math.exp(input[i]! - largest);
      total += power;
      out[i] = power;
    }
    const shift = largest + Math.log(total);
    for (let i = start; i < start + width; i++) {
      out[i] = logarithm ? input[i]! - shift : out[i]! / total;
    }
  }
}

export const softmax: Kernel = softmaxKernel('Softmax');
export const logSoftmax: Kernel = softmaxKernel('LogSoftmax');
