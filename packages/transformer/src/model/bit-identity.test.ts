// A hook that only looks moves no bit and adds no computation, on every backend and at sizes where kernels differ.
import { describeOnBackends } from '@safeinfer/backend/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import type { Intervention } from '../hooks/intervention.ts';
import { createRandomModel } from './create-random-model.ts';

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

await describeOnBackends('looking', () => {
  it.each(['llama', 'gpt2'] as const)('at every point of a %s-like model moves no bit', (like) => {
    using model = createRandomModel({ config: { like, dModel: 128 }, seed: 2 });
    const tokens = Array.from({ length: 40 }, (_, i) => (i * 11) % 96);
    const rows = [{ tokens }, { tokens: tokens.slice(5, 12) }];
    using plain = model.forward(rows);
    using captured = model.forward(rows, { capture: model.points() });
    const look = model.points().map((at): Intervention => ({ at, apply: () => undefined }));
    using looked = model.forward(rows.map((row) => ({ ...row, interventions: look })));
    for (const row of [0, 1]) {
      const bits = plain.logits(row).dataSync();
      expect(captured.logits(row).dataSync()).toEqual(bits);
      expect(looked.logits(row).dataSync()).toEqual(bits);
    }
  });
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
