// What the copies of outputs cost that onnxruntime-node makes beside the arrays given to it, by size of the output.
import {
  createSession,
  ortValue,
  runSession,
} from '../../packages/backend-ort/src/native/binding.ts';
import { onnxModel } from '../../packages/backend-ort/src/onnx/model.ts';
import { median } from './table.ts';

const ROUNDS = 9;
const session = createSession(
  onnxModel({
    nodes: [{ op: 'Neg', inputs: ['x'], outputs: ['y'] }],
    inputs: [{ name: 'x', type: 'float32' }],
    outputs: [{ name: 'y', type: 'float32' }],
  }),
  { threads: 1 },
);

/** Microseconds of one call. */
function time(call: () => void, calls: number): number {
  const start = performance.now();
  for (let i = 0; i < calls; i++) call();
  return (1000 * (performance.now() - start)) / calls;
}

console.log('| bytes of output | binding alone, us | runSession, us |');
console.log('|---|---|---|');
for (let length = 2 ** 8; length <= 2 ** 20; length *= 4) {
  const feeds = { x: ortValue('float32', new Float32Array(length), [length]) };
  const fetches = { y: ortValue('float32', new Float32Array(length), [length]) };
  const calls = Math.ceil(2 ** 22 / (length + 2 ** 12));
  const alone: number[] = [];
  const ours: number[] = [];
  for (let round = -1; round < ROUNDS; round++) {
    const times = [
      time(() => session.run(feeds, fetches), calls),
      time(() => runSession(session, feeds, fetches), calls),
    ] as const;
    if (round < 0) continue;
    alone.push(times[0]);
    ours.push(times[1]);
  }
  console.log(`| ${4 * length} | ${median(alone).toFixed(1)} | ${median(ours).toFixed(1)} |`);
}
