// A small seeded training problem: a random model and sequences that it can learn.
import { createRandomModel, type Transformer } from '@safeinfer/transformer';
import type { LoraResult, TrainingExample, TrainOptions } from '../src/index.ts';
import type { LoraMethod } from '../src/training/method.ts';

/** Arithmetic sequences modulo 90, of lengths 4 to 12, each with a start of its own. */
export function sequences(count: number): TrainingExample[] {
  return Array.from({ length: count }, (_, i) => {
    const length = 4 + ((i * 5) % 9);
    const tokens = Array.from({ length }, (_, t) => (3 + 7 * i + (1 + (i % 3)) * t) % 90);
    return { id: `sequence-${i}`, tokens, weights: tokens.map((_, t) => (t < 2 ? 0 : 1)) };
  });
}

export function tinyModel(seed = 3): Transformer {
  return createRandomModel({ config: { like: 'llama' }, seed });
}

const TARGETS = ['q_proj', 'v_proj', 'down_proj'];

/** Options of a short LoRA run with everything on: dropout, warm-up, clipping, accumulation. */
export function tinyLora(model: Transformer): TrainOptions<LoraMethod> {
  return {
    model,
    data: sequences(14),
    method: { kind: 'lora', rank: 2, alpha: 4, dropout: 0.1, targets: TARGETS },
    optimiser: { learningRate: 0.01, weightDecay: 0.05 },
    schedule: { kind: 'cosine', warmupSteps: 2, warmupFrom: 'first' },
    batch: { examples: 4, microTokens: 20 },
    steps: 8,
    seed: 7,
  };
}

/** All numbers of an adapter, in order. */
export function adapterValues({ adapter }: LoraResult): number[] {
  return adapter.factors.flatMap(({ A, B }) => [A, ...B].flatMap((x) => [...x.dataSync()]));
}
