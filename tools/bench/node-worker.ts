// A measuring process for one of our backends: `node-worker.ts <backend> [weights]`.
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { type BackendName, useBackend, type WeightPrecision } from '@safeinfer/backend';
import type { Transformer } from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import { buildModel, CONFIGS } from './model-shapes.ts';
import type { Answer, Command } from './protocol.ts';
import { median } from './table.ts';

let model: Transformer | undefined;
const matrices = new Map<string, { x: tf.Tensor2D; w: tf.Tensor2D }>();

function loaded(): Transformer {
  if (model === undefined) throw new Error('no model was built');
  return model;
}

function tokensOf(count: number, seed: number): number[] {
  return Array.from(
    { length: count },
    (_, i) => (i * 7919 + seed * 104_729) % loaded().config.vocabSize,
  );
}

async function matmul(command: Command & { op: 'matmul' }): Promise<number> {
  const { rows, inner, columns } = command;
  const key = `${rows}x${inner}x${columns}`;
  let pair = matrices.get(key);
  if (pair === undefined) {
    const fill = (size: number): Float32Array =>
      Float32Array.from({ length: size }, (_, i) => Math.sin(i));
    pair = {
      x: tf.tensor2d(fill(rows * inner), [rows, inner]),
      w: tf.tensor2d(fill(inner * columns), [inner, columns]),
    };
    matrices.set(key, pair);
    for (let i = 0; i < 5; i++) tf.matMul(pair.x, pair.w).dispose();
  }
  const { x, w } = pair;
  const times: number[] = [];
  const until = performance.now() + 60;
  do {
    const start = performance.now();
    const y = tf.matMul(x, w);
    times.push(performance.now() - start);
    y.dispose();
  } while (performance.now() < until);
  return median(times);
}

async function prefill(command: Command & { op: 'prefill' }): Promise<number> {
  const rows = Array.from({ length: command.rows }, (_, row) => ({
    tokens: tokensOf(command.tokens, row),
  }));
  const start = performance.now();
  const result = loaded().forward(rows, { logits: 'last' });
  await result.lastLogits().data();
  const time = performance.now() - start;
  result.dispose();
  return time;
}

/** What TransformerLens caches by default and this architecture has; its costly extras (hook_result) are left out. */
const CACHED =
  /hook_(embed|resid_(pre|mid|post)|[qkvz]|rot_[qk]|attn_scores|pattern|attn_out|mlp_out|pre|pre_linear|post|scale|normalized)$/;
const RESIDUALS = /hook_resid_(pre|mid|post)$/;

async function runWithCache(command: Command & { op: 'cache' }): Promise<number> {
  const own = loaded();
  const wanted = command.points === 'all' ? CACHED : RESIDUALS;
  const capture = own.points().filter((name) => wanted.test(name));
  const rows = Array.from({ length: command.rows }, (_, row) => ({
    tokens: tokensOf(command.tokens, row),
  }));
  const start = performance.now();
  const result = own.forward(rows, { logits: 'all', capture });
  await result.logits(rows.length - 1).data();
  const time = performance.now() - start;
  result.dispose();
  return time;
}

async function decode(command: Command & { op: 'decode' }): Promise<number> {
  const own = loaded();
  const caches = Array.from({ length: command.rows }, () => own.createCache());
  let next = caches.map((_, row) => tokensOf(command.tokens, row));
  const times: number[] = [];
  try {
    for (let step = 0; step <= command.steps; step++) {
      const start = performance.now();
      const rows = next.map((tokens, row) => ({ tokens, cache: caches[row]! }));
      const result = own.forward(rows, { logits: 'last' });
      const best = tf.tidy(() => tf.argMax(result.lastLogits(), 1));
      const picked = await best.data();
      best.dispose();
      result.dispose();
      next = [...picked].map((token) => [token]);
      if (step > 0) times.push(performance.now() - start);
    }
  } finally {
    for (const cache of caches) cache.dispose();
  }
  return median(times);
}

async function train(command: Command & { op: 'train' }): Promise<number> {
  const own = loaded();
  const rows = Array.from({ length: command.rows }, (_, row) => ({
    tokens: tokensOf(command.tokens, row),
  }));
  const targets = rows.flatMap(({ tokens }) => [...tokens.slice(1), tokens[0]!]);
  const names = [...own.weights.keys()];
  const start = performance.now();
  const { value, grads } = tf.valueAndGrads((...weights: tf.Tensor[]) => {
    const named = new Map(names.map((name, i) => [name, weights[i]!]));
    const { logits } = own.trace({ rows, weights: named });
    const picked = tf.sum(
      tf.mul(tf.logSoftmax(logits), tf.oneHot(tf.tensor1d(targets, 'int32'), own.config.vocabSize)),
    );
    return tf.neg(tf.div(picked, targets.length)) as tf.Scalar;
  })([...own.weights.values()]);
  await value.data();
  const time = performance.now() - start;
  tf.dispose([value, grads]);
  return time;
}

function overhead(): number {
  const a = tf.ones([8]);
  const start = performance.now();
  for (let i = 0; i < 10_000; i++) tf.add(a, a).dispose();
  const time = (performance.now() - start) / 10_000;
  a.dispose();
  return time;
}

async function answer(command: Command): Promise<number> {
  switch (command.op) {
    case 'matmul':
      return matmul(command);
    case 'model':
      model?.dispose();
      for (const { x, w } of matrices.values()) tf.dispose([x, w]);
      matrices.clear();
      model = buildModel(CONFIGS[command.shape]);
      return 0;
    case 'prefill':
      return prefill(command);
    case 'cache':
      return runWithCache(command);
    case 'decode':
      return decode(command);
    case 'train':
      return train(command);
    case 'overhead':
      return overhead();
    case 'memory':
      for (let i = 0; i < 3; i++) {
        globalThis.gc?.();
        await sleep(50);
      }
      return process.memoryUsage().rss;
  }
}

const [name = 'cpu', weights = 'float32'] = process.argv.slice(2);
const report = await useBackend({
  name: name as BackendName,
  threads: 2,
  weights: weights as WeightPrecision,
});
const print = (line: object): boolean => process.stdout.write(`${JSON.stringify(line)}\n`);
print({ subject: name, versions: report.versions, threads: report.threads });
for await (const line of createInterface({ input: process.stdin })) {
  let result: Answer;
  try {
    result = { value: await answer(JSON.parse(line) as Command) };
  } catch (error) {
    result = { value: Number.NaN, error: error instanceof Error ? error.message : String(error) };
  }
  print(result);
}
