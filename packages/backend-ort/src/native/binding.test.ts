import { expect, test } from 'vitest';
import { type ModelSpec, onnxModel } from '../onnx/model.ts';
import { createSession, ortValue, runSession } from './binding.ts';

/** y = a + b, and z = a - b. */
const MODEL: ModelSpec = {
  nodes: [
    { op: 'Add', inputs: ['a', 'b'], outputs: ['y'] },
    { op: 'Sub', inputs: ['a', 'b'], outputs: ['z'] },
  ],
  inputs: [
    { name: 'a', type: 'float32' },
    { name: 'b', type: 'float32' },
  ],
  outputs: [
    { name: 'y', type: 'float32' },
    { name: 'z', type: 'float32' },
  ],
};

test.each([1, 4096, 2 ** 20])('outputs of %d values are written in place, every one', (length) => {
  const session = createSession(onnxModel(MODEL), { threads: 2 });
  const value = (data: Float32Array) => ortValue('float32', data, [length]);
  const y = new Float32Array(length);
  const z = new Float32Array(length);
  runSession(
    session,
    { a: value(new Float32Array(length).fill(3)), b: value(new Float32Array(length).fill(1)) },
    { y: value(y), z: value(z) },
  );
  expect(y.every((one) => one === 4)).toBe(true);
  expect(z.every((one) => one === 2)).toBe(true);
  session.dispose();
});

test('large outputs are not copied into arrays of their own', () => {
  const session = createSession(onnxModel(MODEL), { threads: 2 });
  const length = 2 ** 20;
  const value = () => ortValue('float32', new Float32Array(length), [length]);
  const [a, b, y, z] = [value(), value(), value(), value()];
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 8; i++) runSession(session, { a, b }, { y, z });
  // Copies would be 64 MB, of which no collection between two calls leaves less than the last pair.
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 20);
  session.dispose();
});

test('a run that fails throws its own error', () => {
  const session = createSession(onnxModel(MODEL), { threads: 2 });
  const length = 2 ** 16;
  const value = (size: number) => ortValue('float32', new Float32Array(size), [size]);
  const run = () => runSession(session, { a: value(length), b: value(3) }, { y: value(length) });
  expect(run).toThrow(/broadcast/);
  session.dispose();
});
