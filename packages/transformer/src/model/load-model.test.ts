import { readFileSync } from 'node:fs';
import { useBackend } from '@safeinfer/backend';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { onBackend } from '../../test/on-backend.ts';
import { hasSharedModel, sharedModel } from '../../test/shared-data.ts';
import type { HookName } from '../hooks/hook-name.ts';
import { loadModel } from './load-model.ts';
import type { Transformer } from './transformer.ts';

onBackend('wasm'); // five times as fast as cpu, which the parity tests cover

function reference(model: string, file = 'reference.json'): unknown {
  return JSON.parse(readFileSync(`${sharedModel(model)}/${file}`, 'utf8'));
}

type Nested = number | Nested[];

function flatten(value: Nested): number[] {
  return typeof value === 'number' ? [value] : value.flatMap(flatten);
}

/** Ids a greedy decode appends, one row at a time over a cache. */
function greedy(model: Transformer, prompt: readonly number[], count: number): number[] {
  const cache = model.createCache();
  const ids: number[] = [];
  let tokens = prompt;
  for (let step = 0; step < count; step++) {
    const result = model.forward([{ tokens, cache }]);
    const next = tf.tidy(() => tf.argMax(result.logits(0), 1).dataSync()[0] as number);
    result.dispose();
    ids.push(next);
    tokens = [next];
  }
  cache.dispose();
  return ids;
}

describe.runIf(hasSharedModel('stories260K-hf'))('stories260K, a trained Llama', () => {
  it('writes the reference text of 200 greedy tokens exactly', async () => {
    const before = tf.memory().numTensors;
    const model = await loadModel({ path: sharedModel('stories260K-hf') });
    const expected = reference('stories260K-hf', 'expected-greedy-200.json') as
      | { readonly ids: number[] }
      | number[];
    const ids = Array.isArray(expected) ? expected : expected.ids;
    expect(greedy(model, [1], 200)).toEqual(ids.slice(ids.length - 200));
    model.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('gives all 512 reference logits of every prompt within 5e-5', async () => {
    using model = await loadModel({ path: sharedModel('stories260K-hf') });
    const { prompts } = reference('stories260K-hf') as {
      readonly prompts: readonly {
        readonly text: string;
        readonly input_ids: number[];
        readonly logits_last: number[];
      }[];
    };
    for (const { text, input_ids, logits_last } of prompts) {
      using result = model.forward([{ tokens: text }]);
      using ids = model.forward([{ tokens: input_ids }]);
      for (const logits of [result.logits(0), ids.logits(0)]) {
        const ours = logits.dataSync();
        expect(ours.length).toBe(512);
        const worst = Math.max(...logits_last.map((x, i) => Math.abs(x - (ours[i] as number))));
        expect(worst, text).toBeLessThan(5e-5);
      }
    }
  });
});

describe.runIf(hasSharedModel('gpt-nano-sort-hf'))('gpt-nano-sort, a trained GPT-2', () => {
  it('gives every third-party activation within 2e-6', async () => {
    // wasm's single-precision sums leave the bound at logits of size 8 (2.4e-6); cpu sums in double.
    await useBackend({ name: 'cpu' });
    using model = await loadModel({ path: sharedModel('gpt-nano-sort-hf') });
    const golden = reference('gpt-nano-sort-hf') as Record<string, Nested[]> & {
      readonly input_ids: number[][];
    };
    const points: Record<string, HookName> = {
      x: 'blocks.0.hook_resid_pre',
      ln1: 'blocks.0.ln1.hook_out',
      attSm: 'blocks.0.attn.hook_pattern',
      attnResid: 'blocks.0.hook_resid_mid',
      mlpResid: 'blocks.0.hook_resid_post',
      block0: 'blocks.0.hook_resid_post',
      block1: 'blocks.1.hook_resid_post',
      block2: 'blocks.2.hook_resid_post',
      ln_f: 'ln_final.hook_out',
    };
    using run = model.forward(
      golden.input_ids.map((tokens) => ({ tokens })),
      { capture: [...new Set(Object.values(points))], logits: 'all' },
    );
    golden.input_ids.forEach((_, row) => {
      const near = (ours: tf.Tensor, name: string): void => {
        const theirs = flatten(golden[name]![row]!);
        const values = ours.dataSync();
        expect(values.length, name).toBe(theirs.length);
        const worst = Math.max(...theirs.map((x, i) => Math.abs(x - (values[i] as number))));
        expect(worst, name).toBeLessThan(2e-6);
      };
      for (const [name, point] of Object.entries(points)) near(run.captured(row, point), name);
      near(run.logits(row), 'lm_head');
    });
  });

  it('sorts all 729 inputs', async () => {
    await useBackend({ name: 'wasm' });
    using model = await loadModel({ path: sharedModel('gpt-nano-sort-hf') });
    const inputs = Array.from({ length: 729 }, (_, n) =>
      Array.from({ length: 6 }, (_, digit) => Math.floor(n / 3 ** digit) % 3),
    );
    const caches = inputs.map(() => model.createCache());
    let tokens = inputs;
    const sorted = inputs.map(() => [] as number[]);
    for (let step = 0; step < 6; step++) {
      using result = model.forward(tokens.map((row, i) => ({ tokens: row, cache: caches[i]! })));
      const next = tf.tidy(() => tf.argMax(result.lastLogits(), 1).dataSync());
      tokens = inputs.map((_, i) => [next[i] as number]);
      tokens.forEach((row, i) => {
        sorted[i]!.push(row[0]!);
      });
    }
    for (const cache of caches) cache.dispose();
    expect(sorted).toEqual(inputs.map((row) => [...row].sort()));
  });
});
