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
  const values = (): Record<string, ReturnType<typeof ortValue>> => ({
    y: ortValue('float32', y, [length]),
    z: ortValue('float32', y.subarray(0, length), [length]),
  });
  const y = new Float32Array(length);
  const x = ortValue('float32', new Float32Array(length), [length]);
  runSession(session, { a: x, b: x }, values());
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 8; i++) runSession(session, { a: x, b: x }, values());
  // A copy of each would be 64 MB; collections in between can only lower the figure that they would leave.
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 20);
  session.dispose();
});

test.each([1, 2 ** 20])('a run that fails throws its own error, of %d values too', (length) => {
  const session = createSession(onnxModel(MODEL), { threads: 2 });
  const out = ortValue('float32', new Float32Array(length), [length]);
  const feeds = {
    a: ortValue('float32', new Float32Array(length + 1), [length + 1]),
    b: ortValue('float32', new Float32Array(3), [3]),
  };
  expect(() => runSession(session, feeds, { y: out })).toThrow(/shape|broadcast|axis/i);
  session.dispose();
});
