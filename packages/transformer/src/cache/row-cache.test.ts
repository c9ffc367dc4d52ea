import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { onBackend } from '../../test/on-backend.ts';
import { createRandomModel } from '../model/create-random-model.ts';
import type { Row } from '../model/row.ts';
import type { Transformer } from '../model/transformer.ts';
import type { RowCache } from './row-cache.ts';

onBackend('cpu');

const PROMPT = [5, 9, 33, 2, 71, 8, 12, 40, 41];

/** Buffers (not views) a call makes that are as large as `size` or larger. */
function largeTensors(size: number, call: () => void): number {
  const engine = tf.engine();
  const original = engine.trackTensor;
  let count = 0;
  engine.trackTensor = function track(this: typeof engine, tensor, backend) {
    if (tensor.size >= size && !engine.state.tensorInfo.has(tensor.dataId)) count++;
    return original.call(this, tensor, backend);
  } as typeof original;
  try {
    call();
  } finally {
    engine.trackTensor = original;
  }
  return count;
}

function expectAlone(model: Transformer, logits: tf.Tensor, tokens: readonly number[]): void {
  using alone = model.forward([{ tokens }]);
  const worst = tf.tidy(() => tf.sub(logits, alone.logits(0)).abs().max().dataSync()[0] as number);
  expect(worst).toBeLessThan(2e-5);
}

describe('RowCache', () => {
  it('forks without copying, and forks grow apart', () => {
    const before = tf.memory().numTensors;
    const model = createRandomModel({ seed: 8 });
    const cache = model.createCache();
    model.forward([{ tokens: PROMPT, cache }]).dispose();
    const held = tf.memory().numTensors;
    const forks = [cache, cache.fork(), cache.fork()];
    expect(tf.memory().numTensors).toBe(held);
    const history = forks.map(() => [...PROMPT]);
    for (let step = 0; step < 70; step++) {
      const rows = forks.map((own, i): Row => {
        const token = (step * 5 + i * 31) % 96;
        history[i]!.push(token);
        return { tokens: [token], cache: own };
      });
      using result = model.forward(rows);
      if (step % 23 === 0)
        forks.forEach((_, i) => {
          expectAlone(model, result.logits(i), history[i]!);
        });
    }
    forks[0]!.dispose();
    using last = model.forward([{ tokens: [1], cache: forks[2]! }]);
    expectAlone(model, last.logits(0), [...history[2]!, 1]);
    last.dispose();
    forks[1]!.dispose();
    forks[2]!.dispose();
    model.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('reads a shared prefix for every fork without copying it', () => {
    using model = createRandomModel({ config: { nKvHeads: 2 }, seed: 8 });
    using cache = model.createCache();
    const long = Array.from({ length: 200 }, (_, i) => (i * 7) % 96);
    model.forward([{ tokens: long, cache }]).dispose();
    const forks = Array.from({ length: 12 }, () => cache.fork());
    const prefix = 200 * 2 * 8; // one row's keys of one layer
    const rows = forks.map((own, i): Row => ({ tokens: [i], cache: own }));
    const copied = largeTensors(12 * prefix, () => {
      model.forward(rows, { logits: 'none' }).dispose();
    });
    expect(copied).toBe(0);
    using result = model.forward(forks.map((own): Row => ({ tokens: [7], cache: own })));
    expectAlone(model, result.logits(5), [...long, 5, 7]);
    for (const fork of forks) fork.dispose();
  });

  it('never copies the whole of a long cache for one token', () => {
    using model = createRandomModel({ seed: 8 });
    using cache = model.createCache();
    const long = Array.from({ length: 200 }, (_, i) => (i * 7) % 96);
    model.forward([{ tokens: long, cache }]).dispose();
    const whole = 200 * 2 * 8;
    let copies = 0;
    for (let step = 0; step < 128; step++) {
      copies += largeTensors(whole, () => {
        model.forward([{ tokens: [step % 96], cache }], { logits: 'none' }).dispose();
      });
    }
    // 128 steps over 2 layers: copies of that size happen when chunks merge, not token by token.
    expect(copies).toBeLessThan(16);
  });

  it('serves rows whose caches have different pasts', () => {
    using model = createRandomModel({ config: { like: 'gpt2' }, seed: 8 });
    const pasts = [PROMPT, PROMPT.slice(0, 2), [3], []];
    const caches = pasts.map(() => model.createCache());
    const feed = (i: number, tokens: readonly number[]): void => {
      if (tokens.length > 0) model.forward([{ tokens, cache: caches[i]! }]).dispose();
    };
    pasts.forEach((past, i) => {
      feed(i, past.slice(0, 2));
    });
    pasts.forEach((past, i) => {
      feed(i, past.slice(2));
    });
    const next = [[1, 2, 3], [4], [5, 6], [7, 8, 9, 10]];
    for (let round = 0; round < 2; round++) {
      using result = model.forward(next.map((tokens, i) => ({ tokens, cache: caches[i]! })));
      next.forEach((tokens, i) => {
        const seen = [...pasts[i]!, ...tokens, ...(round === 1 ? tokens : [])];
        expectAlone(model, result.logits(i), seen);
      });
    }
    for (const cache of caches) cache.dispose();
  });

  it('mixes rows with and without a cache, in any order of rows', () => {
    using model = createRandomModel({ seed: 8 });
    const caches = [model.createCache(), model.createCache()];
    model.forward(caches.map((cache, i) => ({ tokens: PROMPT.slice(i * 3), cache }))).dispose();
    using swapped = model.forward([
      { tokens: [1, 2], cache: caches[1]! },
      { tokens: PROMPT },
      { tokens: [3], cache: caches[0]! },
    ]);
    expectAlone(model, swapped.logits(0), [...PROMPT.slice(3), 1, 2]);
    expectAlone(model, swapped.logits(1), PROMPT);
    expectAlone(model, swapped.logits(2), [...PROMPT, 3]);
    for (const cache of caches) cache.dispose();
  });

  it('refuses one cache for two rows, another model, and use after disposal', () => {
    using model = createRandomModel({ seed: 8 });
    using other = createRandomModel({ config: { nLayers: 3 }, seed: 8 });
    using cache: RowCache = model.createCache();
    const rows = [{ tokens: [1], cache }];
    expect(() => model.forward([...rows, ...rows])).toThrow(/reuses the cache/);
    expect(() => other.forward(rows)).toThrow(/another model/);
    cache.dispose();
    expect(() => model.forward(rows)).toThrow(expect.objectContaining({ code: 'DISPOSED' }));
  });
});

describe('rows that agree', () => {
  it('are computed once: more equal rows cost no more large tensors', () => {
    using model = createRandomModel({ seed: 8 });
    const width = PROMPT.length * 32;
    const steer = { at: 'blocks.1.attn.hook_z', op: 'zero', heads: [1] } as const;
    const count = (rows: readonly Row[]): number =>
      largeTensors(2 * width, () => {
        model.forward(rows).dispose();
      });
    // All residual-sized tensors of one row stay below two rows' size: nothing was computed twice.
    expect(count([{ tokens: PROMPT }, { tokens: PROMPT }])).toBe(count([{ tokens: PROMPT }]));
    expect(count([{ tokens: PROMPT }, { tokens: PROMPT, interventions: [steer] }])).toBeLessThan(
      count([{ tokens: PROMPT }, { tokens: [...PROMPT.slice(1), 90] }]),
    );
  });

  it('share keys of the layers below the one they part at', () => {
    using model = createRandomModel({ config: { nLayers: 3 }, seed: 8 });
    using cache = model.createCache();
    model.forward([{ tokens: PROMPT.slice(0, -1), cache }]).dispose();
    // The fast form of head effects: one row per head, all forks of one cache, parting at the last layer.
    const heads = [0, 1, 2, 3];
    const forks = heads.map(() => cache.fork());
    const token = PROMPT.at(-1)!;
    const rows = heads.map(
      (head): Row => ({
        tokens: [token],
        cache: forks[head]!,
        interventions: [
          { at: 'blocks.2.attn.hook_z', op: 'zero', heads: [head], positions: 'last' },
        ],
      }),
    );
    using fast = model.forward(rows);
    heads.forEach((head) => {
      using slow = model.forward([
        {
          tokens: PROMPT,
          interventions: [
            { at: 'blocks.2.attn.hook_z', op: 'zero', heads: [head], positions: 'last' },
          ],
        },
      ]);
      const worst = tf.tidy(
        () => tf.sub(fast.logits(head), slow.logits(0)).abs().max().dataSync()[0],
      );
      expect(worst).toBeLessThan(1e-5);
    });
    for (const fork of forks) fork.dispose();
  });
});
