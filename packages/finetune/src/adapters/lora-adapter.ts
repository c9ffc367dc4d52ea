// A LoRA adapter in memory: the deltas of canonical weights, and the modules they belong to.
import type { Adapter, Delta, WeightName } from '@safeinfer/transformer';
import type * as tf from '@tensorflow/tfjs-core';
import type { LoraSettings } from './lora-settings.ts';
import type { MatchedModule } from './match-modules.ts';

/** The factors of one module. Fused modules (GPT-2's `c_attn`) share A; B lies split by canonical weight. */
export interface LoraFactors {
  readonly module: MatchedModule;
  /** [in, r] */
  readonly A: tf.Tensor2D;
  /** For each part of the module, in its order: [r, outputs of the part]. */
  readonly B: readonly tf.Tensor2D[];
}

/** Owns its tensors. Give it to `model.addAdapter(name, adapter)`, and dispose it after removing it there. */
export class LoraAdapter implements Adapter, Disposable {
  readonly settings: LoraSettings;
  readonly factors: readonly LoraFactors[];
  readonly deltas: ReadonlyMap<WeightName, Delta>;

  constructor(settings: LoraSettings, factors: readonly LoraFactors[]) {
    this.settings = settings;
    this.factors = factors;
    this.deltas = deltasOf(factors);
  }

  /** Number of trained values. */
  get size(): number {
    return tensorsOf(this.factors).reduce((sum, tensor) => sum + tensor.size, 0);
  }

  dispose(): void {
    for (const tensor of tensorsOf(this.factors)) tensor.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

function tensorsOf(factors: readonly LoraFactors[]): tf.Tensor2D[] {
  return factors.flatMap(({ A, B }) => [A, ...B]);
}

/** The factors as the engine takes them. */
export function deltasOf(factors: readonly LoraFactors[]): Map<WeightName, Delta> {
  const deltas = new Map<WeightName, Delta>();
  for (const { module, A, B } of factors) {
    module.parts.forEach(({ name }, i) => {
      deltas.set(name, { A, B: B[i] as tf.Tensor2D, scale: module.scale });
    });
  }
  return deltas;
}
