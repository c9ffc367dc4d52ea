// Times each kind of operation as a loop and as a native call, by size: where src/crossover.ts should switch.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { runFused, useBackend } from '@safeinfer/backend';
import * as tf from '@tensorflow/tfjs-core';
import { median } from './table.ts';

const SIZES = Array.from({ length: 9 }, (_, i) => 2 ** (8 + i));

/** Operations by their entry in the table of crossovers; `size` is what that entry counts. */
const OPERATIONS: Readonly<Record<string, (size: number) => { run: () => tf.Tensor }>> = {
  matMul: (size) => {
    // size = 16 x (size / 256) x 16 multiply-adds
    const inner = size / 256;
    const [a, b] = [tf.ones([16, inner]), tf.ones([inner, 16])];
    return { run: () => tf.matMul(a, b) };
  },
  binary: (size) => {
    const [a, b] = [tf.ones([size / 64, 64]), tf.ones([64])];
    return { run: () => tf.add(a, b) };
  },
  transcendental: (size) => {
    const x = tf.ones([size]);
    return { run: () => tf.exp(x) };
  },
  unary: (size) => {
    const x = tf.ones([size]);
    return { run: () => tf.sqrt(x) };
  },
  reduce: (size) => {
    const x = tf.ones([size / 64, 64]);
    return { run: () => tf.sum(x, -1) };
  },
  softmax: (size) => {
    const x = tf.ones([size / 64, 64]);
    return { run: () => tf.softmax(x) };
  },
  transpose: (size) => {
    const x = tf.ones([size / 64, 64]);
    return { run: () => tf.transpose(x) };
  },
  norm: (size) => {
    const x = tf.ones([size / 64, 64]);
    const gain = tf.ones([64]);
    return {
      run: () =>
        runFused(
          'SafeInferNorm',
          { x, gain },
          { kind: 'rms', eps: 1e-5, gainOffset: 0 },
        ) as tf.Tensor,
    };
  },
};

/** Microseconds of one call. */
function time(run: () => tf.Tensor): number {
  for (let i = 0; i < 50; i++) run().dispose();
  const times: number[] = [];
  const until = performance.now() + 25;
  do {
    const start = performance.now();
    for (let i = 0; i < 8; i++) run().dispose();
    times.push((1000 * (performance.now() - start)) / 8);
  } while (performance.now() < until);
  return median(times);
}

if (process.argv[2] === 'measure') {
  await useBackend({ name: 'ort', threads: 2 });
  const rows = Object.entries(OPERATIONS).map(([name, make]) => [
    name,
    SIZES.map((size) => time(make(size).run)),
  ]);
  console.log(JSON.stringify(Object.fromEntries(rows)));
} else {
  const side = (forced: 'never' | '1'): Record<string, number[]> => {
    const args = [...process.execArgv, fileURLToPath(import.meta.url), 'measure'];
    const env = { ...process.env, SAFEINFER_ORT_ALWAYS_NATIVE: forced };
    const { stdout, stderr } = spawnSync(process.execPath, args, { env, encoding: 'utf8' });
    if (stdout === '') throw new Error(stderr);
    return JSON.parse(stdout) as Record<string, number[]>;
  };
  const [loop, native] = [side('never'), side('1')];
  console.log(`| loop / native, us | ${SIZES.join(' | ')} | native from |`);
  console.log(`|---|${'---|'.repeat(SIZES.length + 1)}`);
  for (const name of Object.keys(OPERATIONS)) {
    const [own, other] = [loop[name]!, native[name]!];
    const cells = SIZES.map((_, i) => `${own[i]!.toFixed(1)} / ${other[i]!.toFixed(1)}`);
    const slower = SIZES.findLastIndex((_, i) => own[i]! <= other[i]!);
    const first = SIZES[slower + 1] ?? `more than ${SIZES.at(-1)}`;
    console.log(`| ${name} | ${cells.join(' | ')} | ${first} |`);
  }
}
