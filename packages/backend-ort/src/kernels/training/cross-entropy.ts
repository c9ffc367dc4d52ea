// Weighted next-token loss and its gradient: the logarithm natively, the rest in one pass.
import { ortValue, runSession } from '../../native/binding.ts';
import type { Kernel } from '../kernel.ts';

export const crossEntropy: Kernel = ({ inputs, backend }) => {
  const logits = inputs['logits']!;
  const [lines, vocabulary] = logits.shape as [number, number];
  const targets = backend.values(inputs['targets']!);
  const weights = backend.floats(inputs['weights']!);
  const logp = backend.output([lines, vocabulary]);
  const session = backend.sessions.get('LogSoftmax', lines * vocabulary, () => ({
    nodes: [{ op: 'LogSoftmax', inputs: ['x'], outputs: ['y'], attributes: { axis: -1 } }],
    inputs: [{ name: 'x', type: 'float32' }],
    outputs: [{ name: 'y', type: 'float32' }],
  }));
  runSession(
    session,
    { x: ortValue('float32', backend.floats(logits), logits.shape) },
    { y: ortValue('float32', logp.values, logits.shape) },
  );
  const total = backend.output([]);
  let sum = 0;
  for (let line = 0; line < lines; line++) {
    sum -= weights[line]! * logp.values[line * vocabulary + targets[line]!]!;
  }
  total.values[0] = sum;
  return [total.info, logp.info];
};

export const crossEntropyGradient: Kernel = ({ inputs, backend }) => {
  const logp = inputs['logp']!;
  const [lines, vocabulary] = logp.shape as [number, number];
  const targets = backend.values(inputs['targets']!);
  const weights = backend.floats(inputs['weights']!);
  const dy = backend.floats(inputs['dy']!)[0]!;
  const scale = Float32Array.from(weights, (weight) => weight * dy);
  const out = backend.output([lines, vocabulary]);
  const session = backend.sessions.get('crossEntropyGradient', lines * vocabulary, () => ({
    nodes: [
      { op: 'Exp', inputs: ['logp'], outputs: ['p'] },
      { op: 'Mul', inputs: ['p', 'scale'], outputs: ['y'] },
    ],
    inputs: [
      { name: 'logp', type: 'float32' },
      { name: 'scale', type: 'float32' },
    ],
    outputs: [{ name: 'y', type: 'float32' }],
  }));
  runSession(
    session,
    {
      logp: ortValue('float32', backend.floats(logp), logp.shape),
      scale: ortValue('float32', scale, [lines, 1]),
    },
    { y: ortValue('float32', out.values, logp.shape) },
  );
  for (let line = 0; line < lines; line++) {
    out.values[line * vocabulary + targets[line]!]! -= scale[line]!;
  }
  return [out.info];
};
