// NaN that a kernel makes inside the model ends a generation with the layer's name; nothing is returned from it.
import { describeOnBackends } from '@safeinfer/backend/testing';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, describe, expect, it } from 'vitest';
import type { WeightName } from '../config/weight-name.ts';
import { createRandomModel } from '../model/create-random-model.ts';
import type { Transformer } from '../model/transformer.ts';

/** Undoes `damage`. */
let repair = (): void => {};

/** Lets every kernel of the active backend that reads `weight` write NaN into its result. */
function damage(weight: tf.Tensor): void {
  const backendName = tf.getBackend();
  const originals = [...tf.getKernelsForBackend(backendName)];
  const replace = (config: tf.KernelConfig): void => {
    tf.unregisterKernel(config.kernelName, backendName);
    tf.registerKernel(config);
  };
  for (const config of originals) {
    // These hand the data on: NaN would be written into the weight itself.
    if (config.kernelName === 'Identity' || config.kernelName === 'Reshape') continue;
    replace({
      ...config,
      kernelFunc: (args) => {
        const out = config.kernelFunc(args);
        const reads = Object.values(args.inputs).some((input) => input?.dataId === weight.dataId);
        const first = Array.isArray(out) ? out[0]! : out;
        // Backends in JavaScript hand out their own storage; a kernel that declines hands out nothing.
        if (reads && first !== undefined)
          tf.engine()
            .backend.readSync(first.dataId)
            .fill(Number.NaN as never);
        return out;
      },
    });
  }
  repair = () => {
    for (const config of originals) replace(config);
    repair = () => {};
  };
}

async function generated(model: Transformer): Promise<number[]> {
  const tokens: number[] = [];
  const rows = [{ tokens: [5, 9, 33] }, { tokens: [7] }];
  for await (const event of model.generate(rows, { maxNewTokens: 3 })) tokens.push(event.token);
  return tokens;
}

await describeOnBackends('NaN from a kernel', (backend) => {
  afterEach(() => repair());

  describe.runIf(backend === 'cpu' || backend === 'ort').each(['llama', 'gpt2'] as const)(
    'of a %s-like model',
    (like) => {
      it.each([
        ['blocks.0.attn.W_O', 'blocks.0.hook_attn_out', 'layer 0'],
        ['blocks.1.mlp.W_out', 'blocks.1.hook_mlp_out', 'layer 1'],
      ] as const)('reading %s is caught and named', async (name, point, layer) => {
        using model = createRandomModel({ config: { like }, seed: 3 });
        expect(await generated(model)).toHaveLength(6);
        const before = tf.memory().numTensors;
        damage(model.weights.get(name as WeightName)!);
        // Control: a pass alone does carry the NaN to its logits.
        const result = model.forward([{ tokens: [5, 9, 33] }]);
        expect([...(await result.lastLogits().data())].some(Number.isNaN)).toBe(true);
        result.dispose();
        const thrown = await generated(model).catch((error: unknown) => error);
        expect(thrown).toMatchObject({ code: 'NON_FINITE' });
        expect((thrown as Error).message).toContain(point);
        expect((thrown as Error).message).toContain(layer);
        expect(tf.memory().numTensors).toBe(before);
        repair();
        expect(await generated(model)).toHaveLength(6);
      });
    },
  );
});
