import { describeOnBackends } from '@safeinfer/backend/testing';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import type { HookName } from '../hooks/hook-name.ts';
import { createRandomModel } from './create-random-model.ts';
import type { Row } from './row.ts';
import type { Transformer } from './transformer.ts';

const PROMPTS = [
  [5, 9, 33, 2, 71, 8, 12],
  [90, 1],
  [7, 7, 7, 41, 18, 22, 63, 10, 11, 54, 3],
];

async function maxDifference(a: tf.Tensor, b: tf.Tensor): Promise<number> {
  expect(a.shape).toEqual(b.shape);
  const worst = tf.tidy(() => tf.max(tf.abs(tf.sub(a, b))));
  const [value] = await worst.data();
  worst.dispose();
  return value as number;
}

async function withModel(
  like: 'llama' | 'gpt2',
  use: (model: Transformer) => Promise<void>,
): Promise<void> {
  const before = tf.memory().numTensors;
  const model = createRandomModel({ config: { like }, seed: 1 });
  await use(model);
  model.dispose();
  expect(tf.memory().numTensors).toBe(before);
}

// Every backend has kernels of its own for the same operations.
await describeOnBackends('forward', () => {
  describe.each(['llama', 'gpt2'] as const)('forward of a %s-like model', (like) => {
    it('gives each row of a batch what the row gives alone', async () => {
      await withModel(like, async (model) => {
        using batch = model.forward(
          PROMPTS.map((tokens) => ({ tokens })),
          { logits: 'all' },
        );
        for (const [row, tokens] of PROMPTS.entries()) {
          using alone = model.forward([{ tokens }], { logits: 'all' });
          expect(await maxDifference(batch.logits(row), alone.logits(0))).toBeLessThan(2e-5);
        }
      });
    });

    it('gives with a cache what a whole pass gives, token by token and in pieces', async () => {
      await withModel(like, async (model) => {
        using whole = model.forward(
          PROMPTS.map((tokens) => ({ tokens })),
          { logits: 'all' },
        );
        for (const piece of [1, 2, 5]) {
          for (const [row, tokens] of PROMPTS.entries()) {
            using cache = model.createCache();
            for (let at = 0; at < tokens.length; at += piece) {
              using step = model.forward([{ tokens: tokens.slice(at, at + piece), cache }], {
                logits: 'all',
              });
              const end = Math.min(at + piece, tokens.length);
              const expected = tf.tidy(() => tf.slice(whole.logits(row), [at, 0], [end - at, -1]));
              expect(await maxDifference(step.logits(0), expected)).toBeLessThan(2e-5);
              expected.dispose();
            }
            expect(cache.length).toBe(tokens.length);
          }
        }
      });
    });

    it('decodes ragged rows together over caches as alone', async () => {
      await withModel(like, async (model) => {
        const caches = PROMPTS.map(() => model.createCache());
        model.forward(PROMPTS.map((tokens, i): Row => ({ tokens, cache: caches[i]! }))).dispose();
        const added = PROMPTS.map(() => [] as number[]);
        for (let step = 0; step < 40; step++) {
          // Rows leave one after another; the others go on over their own keys.
          const active = PROMPTS.map((_, i) => i).filter((i) => step < 15 * (i + 1));
          const rows = active.map((i): Row => {
            const token = (step * 7 + i * 13) % 96;
            added[i]!.push(token);
            return { tokens: [token], cache: caches[i]! };
          });
          using result = model.forward(rows);
          if (step % 13 !== 2) continue;
          for (const [row, i] of active.entries()) {
            using alone = model.forward([{ tokens: [...PROMPTS[i]!, ...added[i]!] }]);
            expect(await maxDifference(result.logits(row), alone.logits(0))).toBeLessThan(2e-5);
          }
        }
        for (const cache of caches) cache.dispose();
      });
    });

    it('leaves every bit alone when hooks only look', async () => {
      await withModel(like, async (model) => {
        const rows = PROMPTS.map((tokens) => ({ tokens }));
        using plain = model.forward(rows, { logits: 'all' });
        const names = model.points();
        using captured = model.forward(rows, { logits: 'all', capture: names });
        const look = names.map((at) => ({ at, apply: () => undefined }));
        using hooked = model.forward(
          rows.map((row) => ({ ...row, interventions: look })),
          { logits: 'all' },
        );
        for (const row of PROMPTS.keys()) {
          expect(await maxDifference(plain.logits(row), captured.logits(row))).toBe(0);
          expect(await maxDifference(plain.logits(row), hooked.logits(row))).toBe(0);
        }
      });
    });

    it('has no dead hook: any change at a point changes the logits', async () => {
      await withModel(like, async (model) => {
        const tokens = PROMPTS[0]!;
        using plain = model.forward([{ tokens }]);
        for (const at of model.points()) {
          const apply = (x: tf.Tensor): tf.Tensor =>
            tf.add(x, tf.mul(tf.cos(tf.clipByValue(x, -9, 9)), 0.05));
          using edited = model.forward([{ tokens, interventions: [{ at, apply }] }]);
          expect(await maxDifference(plain.logits(0), edited.logits(0)), at).toBeGreaterThan(1e-6);
        }
      });
    });

    it('restarts in the middle from captured residuals', async () => {
      await withModel(like, async (model) => {
        const rows = PROMPTS.map((tokens) => ({ tokens }));
        const point: HookName = 'blocks.1.hook_resid_pre';
        using whole = model.forward(rows, { capture: [point] });
        const residuals = rows.map((_, row) => whole.captured(row, point) as tf.Tensor2D);
        using rest = model.forward(rows, { startAtLayer: 1, residuals });
        for (const row of rows.keys()) {
          expect(await maxDifference(whole.logits(row), rest.logits(row))).toBe(0);
        }
      });
    });

    it('computes rows that agree once, and splits them where they part', async () => {
      await withModel(like, async (model) => {
        const tokens = PROMPTS[2]!;
        const vector = Array.from({ length: 32 }, (_, i) => Math.sin(i));
        const steer = { at: 'blocks.1.hook_resid_post', op: 'add', vector } as const;
        const rows: Row[] = [{ tokens }, { tokens, interventions: [steer] }, { tokens }];
        using shared = model.forward(rows, { capture: ['blocks.0.hook_resid_post'] });
        for (const [i, row] of rows.entries()) {
          using alone = model.forward([row]);
          expect(await maxDifference(shared.logits(i), alone.logits(0))).toBeLessThan(2e-5);
        }
        expect(await maxDifference(shared.logits(0), shared.logits(2))).toBe(0);
        expect(await maxDifference(shared.logits(0), shared.logits(1))).toBeGreaterThan(0.01);
      });
    });

    it('frees everything when a hook throws or a signal has fired', async () => {
      await withModel(like, async (model) => {
        using cache = model.createCache();
        model.forward([{ tokens: [1, 2, 3], cache }]).dispose();
        const before = tf.memory().numTensors;
        const fail = {
          at: 'blocks.1.mlp.hook_post' as const,
          apply: (): undefined => {
            throw new Error('stop here');
          },
        };
        const rows = [{ tokens: [4, 5], cache, interventions: [fail] }];
        const capture = ['blocks.0.attn.hook_pattern'] as const;
        expect(() => model.forward(rows, { capture })).toThrow('stop here');
        const signal = AbortSignal.abort();
        expect(() => model.forward([{ tokens: [4], cache }], { signal })).toThrow(
          expect.objectContaining({ code: 'ABORTED' }),
        );
        expect(tf.memory().numTensors).toBe(before);
        expect(cache.length).toBe(3);
      });
    });
  });

  describe('refusals', () => {
    it('names the reason and the nearest points', async () => {
      await withModel('llama', async (model) => {
        const attempt = (at: string) => () =>
          model.forward([{ tokens: [1] }], { capture: [at as HookName] });
        expect(attempt('resid_post')).toThrow(expect.objectContaining({ code: 'UNKNOWN_HOOK' }));
        expect(attempt('hook_pos_embed')).toThrow(/rotary/);
        expect(attempt('blocks.9.hook_resid_pre')).toThrow(/blocks 0 to 1/);
        try {
          attempt('blocks.1.resid_post')();
        } catch (error) {
          expect((error as { hint: string }).hint).toContain('blocks.1.hook_resid_post');
        }
      });
    });

    it('names the point and both shapes of a wrong hook result', async () => {
      await withModel('llama', async (model) => {
        const wrong = { at: 'blocks.0.attn.hook_z' as const, apply: () => tf.zeros([1, 2]) };
        expect(() => model.forward([{ tokens: [1, 2, 3], interventions: [wrong] }])).toThrow(
          /blocks\.0\.attn\.hook_z.*\[3,4,8\].*\[1,2\]/,
        );
      });
    });
  });
});
