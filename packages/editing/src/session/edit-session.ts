// Edits of one model that can be applied and undone in any order, bit for bit.
import { SafeInferError } from '@safeinfer/backend';
import type { Transformer, WeightName } from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import { addDelta, deltaShape, type WeightDelta } from '../delta/weight-delta.ts';

/**
 * Holds the unedited weights of every matrix it touched. A weight is always the original plus the deltas of the
 * edits in force, summed in float64 in the order they were applied: so undoing every edit restores the original bits,
 * and undoing one gives the bits that never applying it would have given.
 */
export class EditSession implements Disposable {
  readonly #model: Transformer;
  readonly #originals = new Map<
    WeightName,
    { readonly values: Float32Array; readonly shape: number[] }
  >();
  readonly #inForce = new Map<string, readonly WeightDelta[]>();
  #counter = 0;

  constructor(model: Transformer) {
    this.#model = model;
  }

  /** Ids of the edits in force, oldest first. */
  get edits(): readonly string[] {
    return [...this.#inForce.keys()];
  }

  /** Applies deltas and returns the id that undoes them. */
  async apply(deltas: readonly WeightDelta[], id?: string): Promise<string> {
    const name = id ?? `edit-${++this.#counter}`;
    if (this.#inForce.has(name)) {
      throw new SafeInferError(`edit ${JSON.stringify(name)} is already in force`, {
        code: 'BAD_ARGUMENT',
        hint: 'undo it first or give another id',
      });
    }
    for (const delta of deltas) await this.#remember(delta);
    this.#inForce.set(name, deltas);
    this.#rewrite(deltas.map(({ weight }) => weight));
    return name;
  }

  /** Takes one edit back; the others stay, as if it had never been applied. */
  undo(id: string): void {
    const deltas = this.#inForce.get(id);
    if (!deltas) {
      throw new SafeInferError(`no edit ${JSON.stringify(id)} is in force`, {
        code: 'NOT_FOUND',
        hint: `edits in force: ${this.edits.join(', ') || 'none'}`,
      });
    }
    this.#inForce.delete(id);
    this.#rewrite(deltas.map(({ weight }) => weight));
  }

  /** Takes every edit back. */
  [Symbol.dispose](): void {
    for (const id of this.edits) this.undo(id);
  }

  async #remember(delta: WeightDelta): Promise<void> {
    const { weight } = delta;
    const [inputs, outputs] = deltaShape(delta);
    const tensor = this.#model.weights.get(weight);
    const shape = tensor?.shape;
    if (!tensor || shape?.[0] !== inputs || shape[1] !== outputs) {
      throw new SafeInferError(
        `a delta of ${inputs} x ${outputs} does not fit ${weight} (${shape?.join(' x ') ?? 'absent'})`,
        { code: 'WRONG_MODEL', hint: 'deltas belong to the model they were computed on' },
      );
    }
    if (this.#originals.has(weight)) return;
    const values = Float32Array.from(await tensor.data());
    this.#originals.set(weight, { values, shape: [...tensor.shape] });
  }

  #rewrite(weights: readonly WeightName[]): void {
    for (const weight of new Set(weights)) {
      const { values, shape } = this.#originals.get(weight)!;
      const sum = Float64Array.from(values);
      for (const deltas of this.#inForce.values()) {
        for (const delta of deltas) {
          if (delta.weight === weight) addDelta(sum, delta);
        }
      }
      this.#model.setWeight(weight, tf.tensor(Float32Array.from(sum), shape as [number, number]));
    }
  }
}
