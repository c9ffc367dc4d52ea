// The fused kernels of training against the composed form: loss and every gradient, on architectures of every kind.
import { fileURLToPath } from 'node:url';
import { useBackend } from '@safeinfer/backend';
import {
  createRandomModel,
  type KeyVisibility,
  loadModel,
  type Transformer,
} from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { adamWUpdate } from '../src/optimiser/adamw.ts';
import { composedLoss, weightedCrossEntropy } from '../src/training/cross-entropy.ts';
import type { Method } from '../src/training/method.ts';
import { trainableOf } from '../src/training/method.ts';
import { batchLoss, microBatch } from '../src/training/micro-batch.ts';
import { sequences } from './tiny-run.ts';

const KERNELS = /^SafeInfer(Train|CrossEntropy|AdamW)/;
let removed: tf.KernelConfig[] = [];

/** Takes the kernels away, so that everything is composed of tfjs operations. */
function compose(): void {
  removed = tf.getKernelsForBackend('ort').filter(({ kernelName }) => KERNELS.test(kernelName));
  for (const { kernelName } of removed) tf.unregisterKernel(kernelName, 'ort');
}

function restore(): void {
  for (const kernel of removed) tf.registerKernel(kernel);
  removed = [];
}

beforeAll(async () => {
  await useBackend({ name: 'ort' });
});
afterEach(restore);

interface Pass {
  readonly loss: number;
  readonly names: readonly string[];
  readonly gradients: readonly Float32Array[];
  readonly fused: number;
}

/** Loss and gradients of one micro-batch, and how many fused kernels ran. */
function pass(
  model: Transformer,
  method: Method,
  examples = sequences(5),
  visibility?: KeyVisibility,
): Pass {
  const trainable = trainableOf({ model, method, decayed: 'all', seed: 1 });
  const values = trainable.start();
  // LoRA starts with B = 0, which hides half of its gradient.
  const moved = values.map((value, i) => {
    const next = tf.tidy(() => tf.add(value, tf.mul(tf.sin(tf.add(value, i)), 0.03)));
    value.dispose();
    return next;
  });
  let fused = 0;
  const watch = tf.getKernelsForBackend('ort').filter(({ kernelName }) => KERNELS.test(kernelName));
  const originals = watch.map(({ kernelFunc }) => kernelFunc);
  watch.forEach((kernel, i) => {
    Object.assign(kernel, {
      kernelFunc: (args: Parameters<tf.KernelFunc>[0]) => {
        fused++;
        return originals[i]?.(args);
      },
    });
  });
  const before = tf.memory().numTensors;
  try {
    const { value, grads } = tf.engine().gradients(
      () =>
        batchLoss({
          model,
          batch: microBatch(examples),
          binding: trainable.bind(moved, null),
          factor: 0.1,
          visibility,
        }),
      moved,
      undefined,
      true,
    );
    const out = {
      loss: value.dataSync()[0] as number,
      names: trainable.parameters.map(({ name }) => name),
      gradients: grads.map((grad) => Float32Array.from(grad.dataSync())),
      fused,
    };
    tf.dispose([value, ...grads]);
    expect(tf.memory().numTensors - before).toBe(0);
    return out;
  } finally {
    watch.forEach((kernel, i) => {
      Object.assign(kernel, { kernelFunc: originals[i] });
    });
    tf.dispose(moved);
  }
}

/**
 * Largest difference relative to the largest gradient of the parameter, or to a hundredth of the largest of all: a
 * key bias without rotation has the gradient zero, of which only rounding is left.
 */
function furthest(a: Pass, b: Pass): readonly [number, string] {
  let worst: readonly [number, string] = [Math.abs(a.loss - b.loss) / Math.abs(b.loss), 'loss'];
  const overall = Math.max(...b.gradients.map((own) => own.reduce(largest, 0)));
  a.gradients.forEach((own, i) => {
    const other = b.gradients[i] as Float32Array;
    const scale = other.reduce(largest, overall / 100);
    const off = own.reduce((max, x, j) => Math.max(max, Math.abs(x - (other[j] as number))), 0);
    if (!(off / scale <= worst[0])) worst = [off / scale, a.names[i] ?? ''];
  });
  return worst;
}

function largest(max: number, x: number): number {
  return Math.max(max, Math.abs(x));
}

const fixture = (name: string): string =>
  fileURLToPath(new URL(`../../transformer/fixtures/${name}`, import.meta.url));
const LORA: Method = { kind: 'lora', rank: 3, alpha: 5, targets: 'all-linear' };

/** Fused kernels of a pass: forward and backward of two halves a layer, and of the loss. */
const WHOLE = (model: Transformer): number => 4 * model.config.nLayers + 2;

describe('training kernels equal the composed form', () => {
  it.each([
    'llama',
    'llama3',
    'mistral',
    'qwen2',
    'qwen2-window',
    'smollm',
    'phi3',
    'gpt2',
    'gemma',
    'gpt-neox-sequential',
  ])('%s, full and LoRA', async (name) => {
    using model = await loadModel({ path: fixture(name) });
    for (const method of [{ kind: 'full' } as const, LORA]) {
      restore();
      const fused = pass(model, method);
      compose();
      const composed = pass(model, method);
      expect(fused.fused).toBe(WHOLE(model));
      expect(composed.fused).toBe(0);
      const [off, where] = furthest(fused, composed);
      expect(off, where).toBeLessThan(2e-5);
    }
  });

  it.each(['gelu', 'gelu_tanh', 'quick_gelu', 'silu', 'relu'] as const)(
    '%s, gated and plain',
    (activation) => {
      for (const like of ['llama', 'gpt2'] as const) {
        using plain = createRandomModel({ config: { like }, seed: 2 });
        const config = { ...plain.config, mlp: { ...plain.config.mlp, activation } };
        using model = createRandomModel({ config, seed: 2 });
        restore();
        const fused = pass(model, { kind: 'full' });
        compose();
        const [off, where] = furthest(fused, pass(model, { kind: 'full' }));
        expect(fused.fused).toBe(WHOLE(model));
        expect(off, where).toBeLessThan(2e-5);
      }
    },
  );

  it('rows of one length need no padding', () => {
    using model = createRandomModel({ config: { like: 'llama' }, seed: 4 });
    const examples = sequences(18).filter(({ tokens }) => tokens.length === 4);
    expect(examples.length).toBe(2);
    const fused = pass(model, { kind: 'full' }, examples);
    compose();
    const [off, where] = furthest(fused, pass(model, { kind: 'full' }, examples));
    expect(off, where).toBeLessThan(2e-5);
  });

  it('keys that a lower layer hides, in rows of several lengths', () => {
    using model = createRandomModel({ config: { like: 'llama', nLayers: 3 }, seed: 4 });
    const visibility = {
      layers: (layer: number) => layer < 2,
      visible: (row: number, query: number, key: number) => (query + row) % 3 !== key % 3,
    };
    const fused = pass(model, { kind: 'full' }, sequences(5), visibility);
    const [plain] = furthest(fused, pass(model, { kind: 'full' }));
    compose();
    const [off, where] = furthest(fused, pass(model, { kind: 'full' }, sequences(5), visibility));
    expect(fused.fused).toBe(WHOLE(model));
    expect(off, where).toBeLessThan(2e-5);
    expect(plain).toBeGreaterThan(1e-3);
  });

  it('half-trained models give gradients of what is trained, and no others', () => {
    using model = createRandomModel({ config: { like: 'gpt2' }, seed: 4 });
    const method: Method = { kind: 'full', weights: (name) => /b_Q|ln2|W_out/.test(name) };
    const fused = pass(model, method);
    compose();
    const [off, where] = furthest(fused, pass(model, method));
    expect(off, where).toBeLessThan(2e-5);
  });

  it('control: another scale of the scores shows', () => {
    using model = createRandomModel({ config: { like: 'llama' }, seed: 4 });
    const { attention } = model.config;
    const config = {
      ...model.config,
      attention: { ...attention, scale: attention.scale.map((x) => x * 1.01) },
    };
    using other = createRandomModel({ config, seed: 4 });
    const [off] = furthest(pass(model, { kind: 'full' }), pass(other, { kind: 'full' }));
    expect(off).toBeGreaterThan(1e-3);
  });

  it('the loss, where a probability underflows and where it does not', () => {
    const logits = tf.tensor2d([200, 0, -3, 0.5, 1, 2, 7, 7, 7], [3, 3]);
    const targets = tf.tensor1d([2, 1, 0], 'int32');
    const weights = tf.tensor1d([0.5, 2, 0.1]);
    const of = (loss: typeof composedLoss): number[] => {
      const { value, grad } = tf.valueAndGrad((x) => loss(x as tf.Tensor2D, targets, weights))(
        logits,
      ) as { value: tf.Tensor; grad: tf.Tensor };
      return [...value.dataSync(), ...grad.dataSync()];
    };
    const fused = of(weightedCrossEntropy);
    const composed = of(composedLoss);
    fused.forEach((x, i) => {
      expect(x).toBeCloseTo(composed[i] as number, 5);
    });
    // 203 x 0.5 + ...: the loss of a hopeless target is its distance, not infinity.
    expect(fused[0]).toBeGreaterThan(101.5);
    tf.dispose([logits, targets, weights]);
  });

  it('one step of AdamW, decayed and clipped', () => {
    const make = (shift: number): tf.Tensor1D =>
      tf.tensor1d(Float32Array.from({ length: 500 }, (_, i) => Math.sin(i * 0.37 + shift)));
    const state = { value: make(0), first: make(1), second: tf.tidy(() => tf.square(make(2))) };
    const step = (): number[] => {
      const next = adamWUpdate({
        state: state as Parameters<typeof adamWUpdate>[0]['state'],
        gradient: make(3),
        gradientScale: 0.3,
        step: 3,
        learningRate: 0.01,
        weightDecay: 0.1,
        betas: [0.9, 0.99],
        eps: 1e-8,
      });
      return [next.value, next.first, next.second].flatMap((x) => [...x.dataSync()]);
    };
    const fused = step();
    compose();
    step().forEach((x, i) => {
      expect(Math.abs(x - (fused[i] as number))).toBeLessThan(3e-7);
    });
  });
});
