// Algebra that a wrong hook breaks, on every architecture: what points are worth, not only the logits.
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { finalNorm, unembedded } from '../src/analysis/final-norm.ts';
import type { WeightName } from '../src/config/weight-name.ts';
import type { BlockPoint, HookName } from '../src/hooks/hook-name.ts';
import type { Intervention } from '../src/hooks/intervention.ts';
import type { ForwardResult } from '../src/model/forward-options.ts';
import type { Transformer } from '../src/model/transformer.ts';
import { onBackend } from './on-backend.ts';
import { fixtureModel, fixtureNames, readFixture } from './parity/fixture.ts';

onBackend('cpu');

const names = fixtureNames().filter((name) => !/:|llama-(bf16|f16|sharded)/.test(name));
const fixtures = await Promise.all(names.map(readFixture));
/** Longer than two windows, and three of unequal lengths for batches. */
const long = [5, 17, 42, 8, 0, 91, 33, 60, 2, 71, 14, 90, 3, 3, 55, 28, 76, 61, 19];
const prompts = [long, long.slice(4, 9), long.slice(2, 14)];

function gap(a: tf.Tensor, b: tf.Tensor): number {
  expect(a.shape).toEqual(b.shape);
  return tf.tidy(() => tf.max(tf.abs(tf.sub(a, b))).dataSync()[0] as number);
}

function everything(
  model: Transformer,
  interventions: readonly Intervention[] = [],
): ForwardResult {
  return model.forward([{ tokens: long, interventions }], {
    capture: model.points(),
    logits: 'all',
  });
}

for (const fixture of fixtures) {
  describe(fixture.name, () => {
    const { config } = fixture;
    const { nLayers, nHeads, nKvHeads, dHead, dModel, block, biases } = config;
    const layers = [...new Set([0, nLayers - 1])];

    it('patterns sum to 1, see nothing later or beyond the window, and times v give z', () => {
      using model = fixtureModel(fixture);
      using all = everything(model);
      for (const layer of layers) {
        const at = (point: BlockPoint): tf.Tensor => all.captured(0, `blocks.${layer}.${point}`);
        const pattern = at('attn.hook_pattern') as tf.Tensor3D;
        const sums = tf.tidy(() => tf.max(tf.abs(tf.sub(tf.sum(pattern, -1), 1))).dataSync()[0]);
        expect(sums).toBeLessThan(1e-6);
        const window = config.layers[layer]?.window ?? null;
        const seen = pattern
          .arraySync()
          .flatMap((head) =>
            head.flatMap((row, q) =>
              row.filter((p, k) => p !== 0 && (k > q || (window !== null && k <= q - window))),
            ),
          );
        expect(seen).toEqual([]);
        const weighted = (repeat: 'each' | 'tile'): tf.Tensor =>
          tf.tidy(() => {
            const v = tf.transpose(at('attn.hook_v'), [1, 0, 2]); // [kv, p, e]
            const index = Array.from({ length: nHeads }, (_, head) =>
              repeat === 'each' ? Math.floor((head * nKvHeads) / nHeads) : head % nKvHeads,
            );
            return tf.transpose(tf.matMul(pattern, tf.gather(v, index)), [1, 0, 2]);
          });
        const z = at('attn.hook_z');
        expect(gap(weighted('each'), z)).toBeLessThan(5e-6);
        // The check can fail: heads tiled instead of repeated give another z.
        if (nKvHeads > 1 && nKvHeads < nHeads)
          expect(gap(weighted('tile'), z)).toBeGreaterThan(0.1);
      }
    });

    it('contributions add up to the residual stream, raw outputs are what the weights give', () => {
      using model = fixtureModel(fixture);
      using all = everything(model);
      const weight = (name: WeightName): tf.Tensor | undefined => model.weights.get(name);
      for (const layer of layers) {
        const at = (point: BlockPoint): tf.Tensor => all.captured(0, `blocks.${layer}.${point}`);
        const sum = (attn: tf.Tensor, mlp: tf.Tensor): tf.Tensor =>
          tf.tidy(() => tf.addN([at('hook_resid_pre'), attn, mlp]));
        expect(
          gap(sum(at('hook_attn_out'), at('hook_mlp_out')), at('hook_resid_post')),
        ).toBeLessThan(5e-6);
        const raw = sum(at('hook_attn_out_raw'), at('hook_mlp_out_raw'));
        if (block.postNorm) expect(gap(raw, at('hook_resid_post'))).toBeGreaterThan(0.1);
        else expect(gap(raw, at('hook_resid_post'))).toBeLessThan(5e-6);
        if (block.layout === 'sequential') {
          const mid = tf.tidy(() => tf.add(at('hook_resid_pre'), at('hook_attn_out')));
          expect(gap(mid, at('hook_resid_mid'))).toBeLessThan(5e-6);
        } else expect(model.reason(`blocks.${layer}.hook_resid_mid`)).toContain('parallel');
        const withBias = (x: tf.Tensor, name: WeightName, keep: boolean): tf.Tensor => {
          const bias = weight(name);
          return bias === undefined || !keep ? x : tf.add(x, bias);
        };
        for (const keep of [true, false]) {
          const attn = tf.tidy(() =>
            withBias(tf.sum(at('attn.hook_result'), 1), `blocks.${layer}.attn.b_O`, keep),
          );
          const mlp = tf.tidy(() => {
            const w = weight(`blocks.${layer}.mlp.W_out`) as tf.Tensor2D;
            const out = tf.matMul(at('mlp.hook_post') as tf.Tensor2D, w);
            return withBias(out, `blocks.${layer}.mlp.b_out`, keep);
          });
          const bounds = (biased: boolean, distance: number): void => {
            if (keep || !biased) expect(distance).toBeLessThan(1e-5);
            else expect(distance).toBeGreaterThan(1e-2);
          };
          bounds(biases.attnOut, gap(attn, at('hook_attn_out_raw')));
          bounds(biases.mlp, gap(mlp, at('hook_mlp_out_raw')));
        }
        const result = tf.tidy(() => {
          const w = tf.reshape(weight(`blocks.${layer}.attn.W_O`) as tf.Tensor, [
            nHeads,
            dHead,
            dModel,
          ]);
          return tf.transpose(tf.matMul(tf.transpose(at('attn.hook_z'), [1, 0, 2]), w), [1, 0, 2]);
        });
        expect(gap(result, at('attn.hook_result'))).toBeLessThan(1e-5);
      }
    });

    it('the last residual stream gives the logits through final norm, unembedding and cap', () => {
      using model = fixtureModel(fixture);
      using all = everything(model);
      const stream = all.captured(0, `blocks.${nLayers - 1}.hook_resid_post`);
      const logits = tf.tidy(() => unembedded(model, finalNorm(model, stream)));
      expect(gap(logits, all.logits(0))).toBeLessThan(1e-5);
      expect(gap(all.captured(0, 'unembed.hook_out'), all.logits(0))).toBe(0);
      const unnormed = tf.tidy(() => unembedded(model, stream));
      expect(gap(unnormed, all.logits(0))).toBeGreaterThan(0.1);
    });

    it('looking changes no bit, and changing any point changes the logits', () => {
      using model = fixtureModel(fixture);
      const tokens = long.slice(0, 6);
      using plain = model.forward([{ tokens }], { logits: 'last' });
      const look = model.points().map((at) => ({ at, apply: (x: tf.Tensor) => tf.clone(x) }));
      using looked = model.forward([{ tokens, interventions: look }], { logits: 'last' });
      expect(gap(looked.lastLogits(), plain.lastLogits())).toBe(0);
      const outer = new RegExp(`^blocks\\.(?!0\\.|${nLayers - 1}\\.)`);
      for (const at of model.points().filter((name) => !outer.test(name))) {
        const nudge = {
          at,
          // Uneven in every direction, so that no norm or softmax removes it.
          apply: (x: tf.Tensor) => tf.add(x, tf.mul(tf.cos(tf.clipByValue(x, -9, 9)), 0.05)),
        };
        using changed = model.forward([{ tokens, interventions: [nudge] }], { logits: 'last' });
        expect(gap(changed.lastLogits(), plain.lastLogits()), at).toBeGreaterThan(1e-6);
      }
    });

    it('a batch of ragged rows and a cached step equal the row alone at every point', () => {
      using model = fixtureModel(fixture);
      const points = model.points();
      const vector = Array.from({ length: dModel }, (_, i) => Math.sin(i));
      const edits: Intervention[] = [
        { op: 'add', at: 'blocks.1.hook_resid_pre', vector, scale: 0.3 },
        { op: 'scale', at: 'blocks.0.attn.hook_z', heads: [1], factor: 0.5 },
      ];
      const rows = prompts.map((tokens, i) => ({ tokens, interventions: i === 0 ? edits : [] }));
      const before = tf.memory().numTensors;
      {
        using batch = model.forward(rows, { capture: points, logits: 'all' });
        for (const [i, row] of rows.entries()) {
          using alone = model.forward([row], { capture: points, logits: 'all' });
          expect(gap(batch.logits(i), alone.logits(0))).toBeLessThan(2e-5);
          for (const point of points) {
            expect(distance(batch, alone, { rows: [i, 0], point }), point).toBeLessThan(5e-5);
          }
        }
        using cache = model.createCache();
        const split = long.length - 1;
        model.forward([{ tokens: long.slice(0, split), interventions: edits, cache }]).dispose();
        using step = model.forward([{ tokens: long.slice(split), interventions: edits, cache }], {
          capture: points,
          logits: 'all',
        });
        for (const point of points) {
          const last = lastOf(batch, point, split);
          expect(gap(step.captured(0, point), last), point).toBeLessThan(5e-5);
          last.dispose();
        }
      }
      expect(tf.memory().numTensors).toBe(before);
    });
  });
}

/** Largest difference of a point between two results; masked scores are equal constants. */
function distance(
  a: ForwardResult,
  b: ForwardResult,
  at: { readonly rows: readonly [number, number]; readonly point: HookName },
): number {
  return gap(a.captured(at.rows[0], at.point), b.captured(at.rows[1], at.point));
}

/** The part of a whole pass that a step over the last token computes. */
function lastOf(result: ForwardResult, point: HookName, position: number): tf.Tensor {
  const whole = result.captured(0, point);
  const matrix = /attn\.hook_(pattern|attn_scores)$/.test(point);
  return tf.slice(whole, matrix ? [0, position, 0] : [position], matrix ? [-1, 1, -1] : [1]);
}
