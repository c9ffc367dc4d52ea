// Blocks in one kernel: they run where they should, and give the bits of their halves.
import { useBackend } from '@safeinfer/backend';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Adapter, Delta } from '../adapters/adapter.ts';
import type { ModelConfig } from '../config/model-config.ts';
import type { WeightName } from '../config/weight-name.ts';
import { weightShapes } from '../config/weight-shapes.ts';
import type { HookName } from '../hooks/hook-name.ts';
import type { Intervention } from '../hooks/intervention.ts';
import { createRandomModel, randomConfig, randomWeights } from './create-random-model.ts';
import { Transformer } from './transformer.ts';

/** How often a call ran whole blocks (that did not decline) and halves of blocks. */
function counted(call: () => void): { whole: number; halves: number } {
  const engine = tf.engine() as unknown as {
    runKernel(name: string, ...rest: unknown[]): unknown;
  };
  const original = engine.runKernel;
  const counts = { whole: 0, halves: 0 };
  engine.runKernel = function count(this: typeof engine, name, ...rest) {
    const made = original.call(this, name, ...rest);
    if (name === 'SafeInferBlock' && (made as unknown[]).length > 0) counts.whole++;
    if (name === 'SafeInferHeads') counts.halves++;
    return made;
  };
  try {
    call();
  } finally {
    engine.runKernel = original;
  }
  return counts;
}

const sizes = { dModel: 128, nLayers: 2, nHeads: 4, maxPositions: 512 };
const llama = randomConfig({ like: 'llama', ...sizes });
const gpt2 = randomConfig({ like: 'gpt2', ...sizes });
const partly = (rotary: { dim: number; interleaved: boolean }): ModelConfig['layers'] =>
  llama.layers.map((layer) => ({
    ...layer,
    rotary: { theta: 10_000, scaling: { kind: 'none' }, ...rotary },
  }));
const CONFIGS: Readonly<Record<string, ModelConfig>> = {
  'grouped heads': llama,
  'a head for each': { ...llama, nKvHeads: 4 },
  'one key head': { ...llama, nKvHeads: 1 },
  'layer norm and biases': gpt2,
  'biases of q, k, v only': { ...llama, biases: { ...llama.biases, qkv: true } },
  'a shifted gain': { ...llama, norm: { ...llama.norm, gainOffset: 1 } },
  'pairs side by side': { ...llama, layers: partly({ dim: 32, interleaved: true }) },
  'half of a head turned': { ...llama, layers: partly({ dim: 16, interleaved: false }) },
  'a soft cap': { ...llama, attention: { ...llama.attention, softcap: 20 } },
  'a window': { ...llama, layers: llama.layers.map((layer) => ({ ...layer, window: 6 })) },
  'exact GELU': { ...gpt2, mlp: { gated: false, activation: 'gelu' } },
};

const tokensOf = (count: number, seed = 0): number[] =>
  Array.from({ length: count }, (_, i) => (i * 11 + seed * 29) % 96);

/** A hook that looks into every block: at \`hook_z\` between its halves, at \`hook_q\` into them. */
const inside = (config: ModelConfig, point: 'hook_z' | 'hook_q' = 'hook_z'): Intervention[] =>
  config.layers.map((_, layer) => ({
    at: `blocks.${layer}.attn.${point}` as HookName,
    apply: () => undefined,
  }));

/** Random changes of rank 3 of some weights in every layer. */
function lowRank(config: ModelConfig, weights: readonly string[], seed: number): Adapter {
  const deltas = new Map<WeightName, Delta>();
  for (const [name, shape] of weightShapes(config)) {
    if (!weights.some((own) => name.endsWith(own))) continue;
    const [width, out] = shape as [number, number];
    const A = tf.randomNormal<tf.Rank.R2>([width, 3], 0, 1, 'float32', deltas.size + 50 * seed);
    const B = tf.randomNormal<tf.Rank.R2>([3, out], 0, 1, 'float32', deltas.size + 50 * seed + 25);
    deltas.set(name, { A, B, scale: 0.02 });
  }
  return { deltas };
}

function differs(a: tf.Tensor, b: Float32Array): boolean {
  return a.dataSync().some((value, i) => value !== b[i]);
}

describe('whole blocks on ort', () => {
  beforeAll(async () => {
    await useBackend({ name: 'ort' });
  });

  for (const [name, config] of Object.entries(CONFIGS)) {
    it(`give the bits of their halves: ${name}`, () => {
      using model = createRandomModel({ config, seed: 4 });
      const rows = [0, 1, 2].map((seed) => ({ tokens: tokensOf(9, seed) }));
      const forward = (interventions: Intervention[]) => {
        const caches = rows.map(() => model.createCache());
        const bits: unknown[] = [];
        const counts = counted(() => {
          for (const step of [rows, rows.map((_, i) => ({ tokens: [i + 40] })), rows]) {
            const given = step.map((row, i) => ({ ...row, interventions, cache: caches[i]! }));
            using result = model.forward(given, { logits: 'all' });
            bits.push(...rows.map((_, row) => Float32Array.from(result.logits(row).dataSync())));
          }
        });
        for (const cache of caches) cache.dispose();
        return { bits, counts };
      };
      forward([]);
      const tensors = tf.memory().numTensors;
      const whole = forward([]);
      const halves = forward(inside(config));
      const composed = forward(inside(config, 'hook_q'));
      expect(tf.memory().numTensors).toBe(tensors);
      expect(whole.counts).toEqual({ whole: 3 * config.nLayers, halves: 0 });
      expect(halves.counts).toEqual({ whole: 0, halves: 3 * config.nLayers });
      expect(composed.counts).toEqual({ whole: 0, halves: 0 });
      expect(halves.bits).toEqual(whole.bits);
      expect(composed.bits).toEqual(whole.bits);
    });
  }

  it.each([
    ['of queries and values on one row', ['W_Q', 'W_V'], [['own'], []], 2],
    ['of all three on every row', ['W_Q', 'W_K', 'W_V'], [['own'], ['own']], 2],
    ['of two kinds on different rows', ['W_Q', 'W_V'], [['own'], ['other']], 2],
    ['of two kinds on one row, by halves', ['W_Q', 'W_V'], [['own', 'other'], []], 0],
    ['of the output, by halves', ['W_O'], [['own'], []], 0],
  ] as const)('give the bits of their halves with an adapter %s', (_, weights, adapters, whole) => {
    for (const config of [llama, gpt2]) {
      using model = createRandomModel({ config, seed: 4 });
      const own = ['own', 'other'].map((name, i) => {
        const adapter = lowRank(config, weights, i);
        model.addAdapter(name, adapter);
        return adapter;
      });
      const rows = adapters.map((names, i) => ({ tokens: tokensOf(9, i), adapter: [...names] }));
      const logits = (interventions: Intervention[]): unknown => {
        using result = model.forward(rows.map((row) => ({ ...row, interventions })));
        return rows.map((_row, i) => Float32Array.from(result.logits(i).dataSync()));
      };
      logits([]);
      const tensors = tf.memory().numTensors;
      expect(counted(() => logits([])).whole).toBe(whole);
      expect(logits([])).toEqual(logits(inside(config)));
      expect(logits([])).toEqual(logits(inside(config, 'hook_q')));
      using plain = model.forward(rows.map(({ tokens }) => ({ tokens })));
      const changed = rows.map(
        (row, i) =>
          row.adapter.length > 0 === differs(plain.logits(i), (logits([]) as Float32Array[])[i]!),
      );
      expect(changed).toEqual([true, true]);
      plain.dispose();
      expect(tf.memory().numTensors).toBe(tensors);
      for (const { deltas } of own) for (const { A, B } of deltas.values()) tf.dispose([A, B]);
    }
  });

  it('read as many blocks of cached keys as they have places for, and leave more to their halves', () => {
    using model = createRandomModel({ config: llama, seed: 4 });
    // Each shorter than the one before, and none short enough to be copied: so many chunks.
    const parts = [62, 60, 58, 56, 54, 50, 46, 42, 38, 34];
    const tokens = tokensOf(parts.reduce((sum, length) => sum + length, 0));
    const cache = model.createCache();
    let start = 0;
    const counts = parts.map((length) => {
      const part = tokens.slice(start, start + length);
      start += length;
      return counted(() => model.forward([{ tokens: part, cache }]).dispose()).whole;
    });
    expect(counts).toEqual([2, 2, 2, 2, 2, 2, 2, 2, 2, 0]);
    using cached = model.forward([{ tokens: [7], cache }]);
    using uncached = model.forward([{ tokens: [...tokens, 7] }]);
    const [a, b] = [cached.logits(0).dataSync(), uncached.logits(0).dataSync()];
    expect(Math.max(...a.map((own, i) => Math.abs(own - b[i]!)))).toBeLessThan(2e-5);
    cache.dispose();
  });

  it('agree with the cpu backend', async () => {
    const onCpu: Float32Array[] = [];
    const tokens = tokensOf(20);
    await useBackend({ name: 'cpu' });
    for (const config of Object.values(CONFIGS)) {
      using model = createRandomModel({ config, seed: 4 });
      using result = model.forward([{ tokens }], { logits: 'all' });
      onCpu.push(Float32Array.from(result.logits(0).dataSync()));
    }
    await useBackend({ name: 'ort' });
    for (const [i, config] of Object.values(CONFIGS).entries()) {
      using model = createRandomModel({ config, seed: 4 });
      using result = model.forward([{ tokens }], { logits: 'all' });
      const logits = result.logits(0).dataSync();
      const worst = Math.max(...logits.map((own, at) => Math.abs(own - onCpu[i]![at]!)));
      const largest = Math.max(...onCpu[i]!.map(Math.abs));
      expect(worst / largest).toBeLessThan(2e-5);
    }
  });

  it('give the residual stream between their halves to a reader, and leave the others whole', () => {
    using model = createRandomModel({ config: llama, seed: 4 });
    const rows = [{ tokens: tokensOf(9) }];
    const capture = (['pre', 'mid', 'post'] as const).flatMap((at) =>
      [0, 1].map((layer): HookName => `blocks.${layer}.hook_resid_${at}`),
    );
    const bits = (interventions: Intervention[]): unknown => {
      using result = model.forward(
        rows.map((row) => ({ ...row, interventions })),
        { capture },
      );
      return capture.map((point) => Float32Array.from(result.captured(0, point).dataSync()));
    };
    bits([]);
    expect(counted(() => bits([]))).toEqual({ whole: 2, halves: 0 });
    expect(counted(() => bits(inside(llama).slice(1)))).toEqual({ whole: 1, halves: 1 });
    expect(bits([])).toEqual(bits(inside(llama)));
  });

  it('are entered and left through edits, applied once, also before the block has a session', () => {
    const vector = tf.fill([128], 0.5);
    const add = (at: HookName): Intervention => ({ at, apply: (x) => tf.add(x, vector) });
    const interventions = [add('blocks.0.hook_resid_pre'), add('blocks.1.hook_resid_post')];
    // Results of kernels may be of the moment: such weights must come back before they count.
    const weights = new Map(
      [...randomWeights(llama, 4)].map(([name, w]) => {
        const own = tf.mul(w, 1);
        w.dispose();
        return [name, own] as const;
      }),
    );
    const fresh = new Transformer({ config: llama, weights });
    using settled = createRandomModel({ config: llama, seed: 4 });
    const rows = [{ tokens: tokensOf(70), interventions }];
    const logits = (model: Transformer): Float32Array => {
      using result = model.forward(rows);
      return Float32Array.from(result.logits(0).dataSync());
    };
    const byHalves = logits(fresh);
    expect(counted(() => logits(fresh)).whole).toBe(0);
    const whole = logits(settled);
    expect(counted(() => logits(settled)).whole).toBe(2);
    expect(Math.max(...byHalves.map((own, i) => Math.abs(own - whole[i]!)))).toBeLessThan(2e-5);
    for (const w of weights.values()) w.dispose();
    vector.dispose();
  });

  it('follow an edit of one weight, keep the other models of the same weights, and give values back', () => {
    const weights = randomWeights(llama, 4);
    const before = new Map(
      [...weights].map(([name, w]) => [name, Float32Array.from(w.dataSync())]),
    );
    const base = new Transformer({ config: llama, weights });
    const rows = [{ tokens: tokensOf(9) }];
    const logits = (model: Transformer): Float32Array => {
      using result = model.forward(rows);
      return Float32Array.from(result.logits(0).dataSync());
    };
    const plain = logits(base);
    expect(counted(() => logits(base)).whole).toBe(2);
    const own = weights.get('blocks.1.mlp.W_out')!;
    const changedWeights = new Map(weights).set(
      'blocks.1.mlp.W_out',
      tf.tensor(
        before.get('blocks.1.mlp.W_out')!.map((x) => x + 0.01),
        own.shape,
      ),
    );
    const changed = new Transformer({ config: llama, weights: changedWeights });
    const edited = logits(changed);
    expect(counted(() => logits(changed))).toEqual({ whole: 1, halves: 1 });
    expect(edited).not.toEqual(plain);
    expect(logits(base)).toEqual(plain);
    expect(counted(() => logits(base)).whole).toBe(2);
    // Reading leaves every bit and every session as it was.
    for (const [name, w] of weights) expect(w.dataSync(), name).toEqual(before.get(name));
    expect(counted(() => logits(base)).whole).toBe(2);
    // The unedited weight goes: the rest finds itself together with the new one at once, to the same bits.
    own.dispose();
    expect(counted(() => logits(changed)).whole).toBe(2);
    expect(logits(changed)).toEqual(logits(changed));
    const again = tf.tensor(before.get('blocks.1.mlp.W_out')!, own.shape);
    changedWeights.get('blocks.1.mlp.W_out')!.dispose();
    const undone = new Transformer({
      config: llama,
      weights: new Map(weights).set('blocks.1.mlp.W_out', again),
    });
    expect(logits(undone)).toEqual(plain);
    again.dispose();
    for (const w of new Set([...weights.values(), ...changedWeights.values()])) {
      if (!w.isDisposed) w.dispose();
    }
  });
});

describe('whole blocks in 8 bits', () => {
  beforeAll(async () => {
    await useBackend({ name: 'ort', weights: 'int8' });
  });
  afterAll(async () => {
    await useBackend({ name: 'ort' });
  });

  it('give the bits of their halves, whichever came first, and round each weight once', () => {
    const config = randomConfig({ like: 'llama', ...sizes, dModel: 256, nKvHeads: 4 });
    const rows = [0, 1].map((seed) => ({ tokens: tokensOf(9, seed) }));
    const logits = (model: Transformer, interventions: Intervention[]): unknown => {
      using result = model.forward(rows.map((row) => ({ ...row, interventions })));
      return [0, 1].map((row) => Float32Array.from(result.logits(row).dataSync()));
    };
    const error = (): number =>
      (tf.backend() as unknown as { weightRoundingError(): number }).weightRoundingError();
    using first = createRandomModel({ config, seed: 4 });
    using second = createRandomModel({ config, seed: 4 });
    const halves = logits(first, inside(config));
    const cost = error();
    expect(cost).toBeGreaterThan(0.001);
    expect(counted(() => logits(first, [])).whole).toBe(2);
    expect(error()).toBe(cost);
    expect(counted(() => logits(second, [])).whole).toBe(2);
    expect(logits(first, [])).toEqual(halves);
    expect(logits(second, [])).toEqual(halves);
    expect(logits(second, inside(config, 'hook_q'))).toEqual(halves);
    const w = [first, second].map((model) => model.weights.get('blocks.0.attn.W_K')!.dataSync());
    expect(w[0]).toEqual(w[1]);
  });
});
