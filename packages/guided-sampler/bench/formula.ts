// Cost of the formula itself: the fused pass beside the chain of tfjs ops and beside the literal form, and agreement.
//   tsx --conditions=@safeinfer/source bench/formula.ts [backend]
import { type BackendName, useBackend } from '@safeinfer/backend';
import * as tf from '@tensorflow/tfjs-core';
import {
  buildChain,
  compileFormula,
  evaluateLiteral,
  logSoftmax,
  safeInferFormula,
  TermScores,
  term,
} from '../src/index.ts';
import { decidedToken, sampleToken } from '../src/sampling/choose.ts';
import { randomKey } from '../src/sampling/random.ts';
import { median } from './step-times.ts';

const [backend = 'ort'] = process.argv.slice(2);
await useBackend({ name: backend as BackendName, threads: 1 });
const formula = safeInferFormula(term('safe'), term('unsafe'));
const phase = compileFormula(formula).phaseAt(0);
const cpu = (): number => process.cpuUsage().user / 1000;

function logits(size: number, seed: number): Float32Array {
  return Float32Array.from(
    { length: size },
    (_, i) => -1.3 * Math.log(1 + ((i * 7919 + 13) % size)) + 0.2 * Math.sin(i * seed),
  );
}

async function time(run: () => unknown): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < 25; i++) {
    const start = cpu();
    await run();
    if (i > 4) times.push(cpu() - start);
  }
  return median(times);
}

for (const size of [32_000, 128_256, 151_936]) {
  const [s, u] = [logits(size, 1), logits(size, 1.01)];
  const out = new Float64Array(size);
  const fused = (): void =>
    phase.evaluate(
      new Map([
        ['safe', new TermScores(s)],
        ['unsafe', new TermScores(u)],
      ]),
      out,
    );
  fused();
  const got = logSoftmax(out);
  const want = evaluateLiteral(formula, { safe: s, unsafe: u });
  const worst = want.reduce(
    (m, v, i) => Math.max(m, Math.abs(Math.exp(v) - Math.exp(got[i] as number))),
    0,
  );
  const chain = buildChain({ temperature: 0.8, topK: 50, topP: 0.95 });
  const context = { history: [1], promptLength: 1, step: 0 };
  const low = Float64Array.from(s, (v) => v - 1);
  const high = Float64Array.from(s);
  const ops = async (): Promise<void> => {
    const final = tf.tidy(() => {
      const [a, b] = [s, u].map((x) => tf.logSoftmax(tf.tensor1d(x)));
      const gap = tf.relu(tf.sub(b as tf.Tensor, a as tf.Tensor));
      return tf.argMax(tf.logSoftmax(tf.sub(a as tf.Tensor, tf.mul(gap, 99)) as tf.Tensor1D));
    });
    await final.data();
    final.dispose();
  };
  const rows: readonly (readonly [string, () => unknown])[] = [
    ['fused pass (both log-sum-exps included)', fused],
    ['temperature, top-k 50, top-p 0.95', () => chain.apply(Float64Array.from(out), context)],
    ['keyed draw from the full vocabulary', () => sampleToken(out, randomKey(1, 2, 3))],
    ['skip rule', () => decidedToken({ low, high }, randomKey(1, 2, 3), 1)],
    [`the same formula in tfjs ops (${backend})`, ops],
    ['literal form in float64', () => evaluateLiteral(formula, { safe: s, unsafe: u })],
  ];
  console.log(
    `\nvocabulary ${size}: largest difference in probability ${worst.toExponential(1)}; CPU ms`,
  );
  for (const [name, run] of rows)
    console.log(`  ${name.padEnd(44)} ${(await time(run)).toFixed(2).padStart(8)}`);
}
