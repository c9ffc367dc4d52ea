// Terms that differ only from a layer on share everything below it, and equal two separate rows at every layer.
import '@tensorflow/tfjs-backend-cpu';
import type { DataIntervention, RowCache } from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type TestModel, testModel } from './models.fixture.ts';

let test: TestModel;
beforeAll(async () => {
  await tf.setBackend('cpu');
  test = testModel();
});
afterAll(() => test[Symbol.dispose]());

const steerAt = (layer: number): DataIntervention => ({
  at: `blocks.${layer}.hook_resid_post`,
  op: 'add',
  vector: Float32Array.from({ length: 32 }, (_, i) => Math.cos(i * 1.3)),
  scale: 0.5,
  positions: 'last',
});

describe('steered and plain rows in one pass', () => {
  it.each([0, 1, 2])(
    'equal separate passes when they part at layer %i, prompt and cached steps',
    (layer) => {
      const { model } = test;
      const [a, b, c, d] = [0, 1, 2, 3].map(() => model.createCache()) as [
        RowCache,
        RowCache,
        RowCache,
        RowCache,
      ];
      const steps = [[3, 1, 4, 1, 5], [9], [2], [6]];
      for (const [i, tokens] of steps.entries()) {
        const phase = i === 0 ? ('prompt' as const) : ('generation' as const);
        const interventions = [steerAt(layer)];
        using both = model.forward([
          { tokens, phase, cache: a },
          { tokens, phase, cache: b, interventions },
        ]);
        using plain = model.forward([{ tokens, phase, cache: c }]);
        using steered = model.forward([{ tokens, phase, cache: d, interventions }]);
        const rows = [both.logits(0), both.logits(1)].map((t) => t.dataSync());
        const alone = [plain.logits(0), steered.logits(0)].map((t) => t.dataSync());
        rows.forEach((row, r) => {
          row.forEach((value, token) => {
            expect(Math.abs(value - (alone[r]?.[token] as number))).toBeLessThan(1e-4);
          });
        });
        // Negative control: the steering is there.
        const [first, second] = rows as [Float32Array, Float32Array];
        expect(
          Math.max(...first.map((v, t) => Math.abs(v - (second[t] as number)))),
        ).toBeGreaterThan(0.01);
      }
      for (const cache of [a, b, c, d]) cache.dispose();
    },
  );
});
