// A hook that only looks moves no bit and adds no computation, on every backend and at sizes where kernels differ.
import { describeOnBackends } from '@safeinfer/backend/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import type { Adapter, Delta } from '../adapters/adapter.ts';
import type { WeightName } from '../config/weight-name.ts';
import { weightShapes } from '../config/weight-shapes.ts';
import type { Intervention } from '../hooks/intervention.ts';
import { normals } from '../random/seeded-random.ts';
import { createRandomModel } from './create-random-model.ts';
import type { Row } from './row.ts';
import type { Transformer } from './transformer.ts';

/** Names of the kernels that a call runs. */
function kernelsOf(call: () => void): string[] {
  const engine = tf.engine() as unknown as {
    runKernelFunc(options: { readonly kernelName?: string }): unknown;
  };
  const original = engine.runKernelFunc;
  const names: string[] = [];
  engine.runKernelFunc = function count(this: typeof engine, options) {
    names.push(options.kernelName ?? 'custom');
    return original.call(this, options);
  };
  try {
    call();
  } finally {
    engine.runKernelFunc = original;
  }
  return names;
}

/** Random deltas of rank 3 on every matrix that takes one. */
function lowRankEverywhere(model: Transformer): Adapter {
  const deltas = new Map<WeightName, Delta>();
  let stream = 0;
  for (const [name, shape] of weightShapes(model.config)) {
    if (shape.length !== 2 || name === 'pos_embed.W_pos') continue;
    const [width, out] = shape as [number, number];
    const A = tf.tensor2d(normals(stream++, width * 3), [width, 3]);
    const B = tf.tensor2d(normals(stream++, 3 * out), [3, out]);
    deltas.set(name, { A, B, scale: 0.02 });
  }
  return { deltas };
}

await describeOnBackends('looking', () => {
  it.each([
    ['llama', 'no row'],
    ['gpt2', 'no row'],
    ['llama', 'one row'],
    ['gpt2', 'one row'],
    ['llama', 'each row'],
  ] as const)(
    'at every point of a %s-like model moves no bit, an adapter on %s',
    async (like, adapted) => {
      using model = createRandomModel({ config: { like, dModel: 128 }, seed: 2 });
      const adapter = lowRankEverywhere(model);
      model.addAdapter('own', adapter);
      const tokens = Array.from({ length: 40 }, (_, i) => (i * 11) % 96);
      const rows: Row[] = [{ tokens }, { tokens: tokens.slice(5, 12) }];
      if (adapted !== 'no row') rows[1] = { tokens: tokens.slice(5, 12), adapter: 'own' };
      if (adapted === 'each row') rows[0] = { tokens, adapter: 'own' };
      using plain = model.forward(rows);
      using captured = model.forward(rows, { capture: model.points() });
      const look = model.points().map((at): Intervention => ({ at, apply: () => undefined }));
      using looked = model.forward(rows.map((row) => ({ ...row, interventions: look })));
      for (const row of [0, 1]) {
        const bits = await plain.logits(row).data();
        expect(await captured.logits(row).data()).toEqual(bits);
        expect(await looked.logits(row).data()).toEqual(bits);
      }
      for (const { A, B } of adapter.deltas.values()) tf.dispose([A, B]);
    },
  );
});

await describeOnBackends('keeping every residual', () => {
  it('adds one reference a point and no computation', () => {
    using model = createRandomModel({ config: { nLayers: 3 }, seed: 2 });
    const rows = [{ tokens: [3, 1, 4, 1, 5] }];
    const capture = [0, 1, 2].flatMap(
      (layer) => [`blocks.${layer}.hook_resid_pre`, `blocks.${layer}.hook_resid_post`] as const,
    );
    const plain = kernelsOf(() => {
      model.forward(rows).dispose();
    });
    const keeping = kernelsOf(() => {
      model.forward(rows, { capture }).dispose();
    });
    expect(keeping.filter((name) => name !== 'Identity')).toEqual(
      plain.filter((name) => name !== 'Identity'),
    );
    expect(keeping.length - plain.length).toBe(capture.length);
  });
});
