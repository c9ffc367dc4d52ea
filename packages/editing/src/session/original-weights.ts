// The unedited bits of every weight that a session touches: what edits are added to and undone to.
import { createHash } from 'node:crypto';
import { SafeInferError } from '@safeinfer/backend';
import type { Transformer, WeightName } from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import { changedValues } from '../delta/changed-weight.ts';
import { checkDelta, deltaShape, type WeightDelta } from '../delta/weight-delta.ts';
import { norm } from '../linear-algebra/vector.ts';

interface Original {
  readonly values: Float32Array;
  readonly shape: number[];
  readonly sha256: string;
  readonly norm: number;
  /** The content that was read, and what was last read or written here: another there is somebody else's change. */
  readonly source: object;
  present: object;
  /** Whether `present` carries deltas. */
  edited: boolean;
}

/** Tensors that a session wrote back to what it had read stand for the tensor that was read: same bits. */
const contents = new WeakMap<tf.Tensor, object>();

function contentOf(tensor: tf.Tensor): object {
  return contents.get(tensor) ?? tensor;
}

/** Copies a weight the first time it is named. One instance belongs to one model, from before its first edit. */
export class OriginalWeights {
  readonly #model: Transformer;
  readonly #originals = new Map<WeightName, Original>();

  constructor(model: Transformer) {
    this.#model = model;
  }

  /** Keeps the weight that the delta changes. @throws BAD_ARGUMENT, NON_FINITE, WRONG_MODEL when the delta does not fit it */
  async remember(delta: WeightDelta): Promise<void> {
    const { weight } = delta;
    checkDelta(delta);
    const [inputs, outputs] = deltaShape(delta);
    const shape = this.#model.weights.get(weight)?.shape;
    if (shape?.[0] !== inputs || shape[1] !== outputs) {
      throw new SafeInferError(
        `a delta of ${inputs} x ${outputs} does not fit ${weight} (${shape?.join(' x ') ?? 'absent'})`,
        { code: 'WRONG_MODEL', hint: 'deltas belong to the model they were computed on' },
      );
    }
    await this.#original(weight);
  }

  /** @throws WRONG_MODEL when the model's weight has other bits than a saved session was made for */
  async expect(weight: WeightName, sha256: string): Promise<void> {
    const present = this.#model.weights.has(weight);
    if (present && (await this.#original(weight)).sha256 === sha256) return;
    throw new SafeInferError(`${weight} is not the weight these edits were made for`, {
      code: 'WRONG_MODEL',
      hint: 'load the same model, unedited, as when the session was saved',
    });
  }

  /**
   * Another session, or training, may have changed a weight that carries edits of this one: writing it again would drop
   * that change without a word. @throws WRONG_MODEL
   */
  check(weights: readonly WeightName[]): void {
    for (const weight of weights) {
      const original = this.#originals.get(weight);
      if (!original?.edited || original.present === contentOf(this.#model.weights.get(weight)!))
        continue;
      throw new SafeInferError(
        `${weight} was changed by somebody else since this session edited it`,
        {
          code: 'WRONG_MODEL',
          hint: 'take the later change back first, or keep every edit of a model in one session',
        },
      );
    }
  }

  /** Of a remembered weight, unedited. */
  factsOf(weight: WeightName): { readonly sha256: string; readonly norm: number } {
    return this.#originals.get(weight)!;
  }

  /** The original plus the deltas, as a new tensor that the caller owns; without deltas its very bits. */
  changed(weight: WeightName, deltas: readonly WeightDelta[]): tf.Tensor {
    const { values, shape } = this.#originals.get(weight)!;
    return tf.tensor(changedValues(values, deltas), shape);
  }

  /** Puts the original plus the deltas into the model. */
  write(weight: WeightName, deltas: readonly WeightDelta[]): void {
    const original = this.#originals.get(weight)!;
    const tensor = this.changed(weight, deltas);
    this.#model.setWeight(weight, tensor);
    if (deltas.length === 0) contents.set(tensor, original.source);
    original.present = contentOf(tensor);
    original.edited = deltas.length > 0;
  }

  async #original(weight: WeightName): Promise<Original> {
    this.check([weight]);
    const tensor = this.#model.weights.get(weight)!;
    const known = this.#originals.get(weight);
    // Without edits in force a changed weight is simply a new original.
    if (known?.present === contentOf(tensor)) return known;
    const values = Float32Array.from((await tensor.data()) as Float32Array);
    const original: Original = {
      values,
      shape: [...tensor.shape],
      sha256: createHash('sha256').update(new Uint8Array(values.buffer)).digest('hex'),
      norm: norm(values),
      source: contentOf(tensor),
      present: contentOf(tensor),
      edited: false,
    };
    this.#originals.set(weight, original);
    return original;
  }
}
