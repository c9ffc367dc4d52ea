// Where a tensor's values are: in an array, or only inside the session that holds them packed.
import type { backend_util, DataType, TensorInfo } from '@tensorflow/tfjs-core';
import type { ConstantWeight } from '../weights/packed-weight.ts';

/** Smaller matrices stay in cache: packed alone they gain nothing over its 20 ms, and a second copy is no loss. */
export const SMALLEST_WEIGHT: number = 2 ** 16;
/** Reads that leave the session alone: an edit reads its weight, and when it is undone all must be as before. */
const PATIENCE = 2;

/** The record behind a data id; inherited kernels read `values`, ours read through the backend. */
export class TensorRecord<D extends DataType = DataType> {
  readonly dtype: D;
  refCount: number;
  complexTensorInfos?: { real: TensorInfo; imag: TensorInfo };
  /** True while no code outside this package can hold the array, so that it may be reused. */
  poolable: boolean;
  /** The session that has these values as its constant. */
  packed: ConstantWeight | undefined = undefined;
  /** Declared to stay: packed at its first product. */
  constant = false;
  /** Products of few rows since anything else read the values. */
  uses = 0;
  /** Products of many rows, until the values were once read back from a session. */
  manyRowUses = 0;
  /** True when rows are looked up in it too (a tied embedding): then array and session both stay. */
  #pinned = false;
  #values: backend_util.BackendValues | null;
  /** How often the values were read back from the session. */
  #reads = 0;

  constructor(options: {
    readonly values: backend_util.BackendValues | null;
    readonly dtype: D;
    readonly refCount: number;
    readonly poolable?: boolean;
  }) {
    this.#values = options.values;
    this.dtype = options.dtype;
    this.refCount = options.refCount;
    this.poolable = options.poolable ?? false;
  }

  /** For inherited kernels and readers: they may keep the array, so it is no longer ours to reuse. */
  get values(): backend_util.BackendValues {
    this.poolable = false;
    return this.own();
  }

  set values(values: backend_util.BackendValues) {
    this.#values = values;
  }

  /** The array, for code that lets go of it; unpacks values that exist only in a session. */
  own(): backend_util.BackendValues {
    if (this.#values !== null || this.packed === undefined) {
      return this.#values as backend_util.BackendValues;
    }
    const values = this.packed.unpack();
    if (values.length < SMALLEST_WEIGHT) this.#values = values;
    else if (++this.#reads > PATIENCE) {
      // One copy in memory: whoever needs the plain array again and again (a gradient) gets it instead.
      this.#values = values;
      this.unpack();
    }
    return values;
  }

  /** The array, with any session ended, to be packed in another way. */
  readBack(): backend_util.BackendValues {
    this.#values = this.own();
    if (this.packed !== undefined) this.unpack();
    return this.#values;
  }

  /** As `readBack`, for a session that ends because of another weight: this one stays as settled as it was. */
  takeBack(): backend_util.BackendValues {
    const values = this.readBack();
    this.uses = 0;
    this.manyRowUses = 0;
    return values;
  }

  /** The array, which from now on stays beside the session: for look-ups that come at every step. */
  pinned(): backend_util.BackendValues {
    this.#pinned = true;
    this.#values ??= this.packed?.unpack() ?? null;
    return this.#values as backend_util.BackendValues;
  }

  /** Hands the values to a session; the array goes, unless look-ups need it. */
  pack(weight: ConstantWeight): void {
    this.packed = weight;
    this.#reads = 0;
    if (!this.#pinned) this.#values = null;
  }

  /** Ends the session; `uses` starts again below zero, so that a weight settles before it is packed again. */
  unpack(): void {
    this.packed?.dispose();
    this.packed = undefined;
    this.constant = false;
    this.uses = -SETTLING_USES;
    // A training step reads what its forward pass multiplied: many rows never pack such a weight again.
    this.manyRowUses = Number.NEGATIVE_INFINITY;
  }
}

/** Products of few rows that a weight must see, after it was read otherwise, before it counts as settled. */
const SETTLING_USES = 8;
