// The tfjs backend `ort`: tensors in typed arrays, heavy kernels in ONNX Runtime, the rest from tfjs-cpu.
import { SafeInferError, type WeightPrecision } from '@safeinfer/backend';
import { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu';
import type { backend_util, DataType, TensorInfo } from '@tensorflow/tfjs-core';
import { OpSessions } from './native/op-sessions.ts';
import { BufferPool } from './storage/buffer-pool.ts';
import { TensorRecord } from './storage/tensor-record.ts';
import type { RoundingSums } from './weights/eight-bit-weight.ts';

/** V8's own limit for one typed array, in elements; beyond it the engine would throw a bare RangeError. */
const MAX_ELEMENTS = 2 ** 32 - 1;

let nextId = 0;

export class OrtBackend extends MathBackendCPU {
  readonly threads: number;
  readonly sessions: OpSessions;
  readonly pool: BufferPool = new BufferPool();

  readonly weights: WeightPrecision;
  /** What rounding weights to 8 bits has cost so far. */
  readonly rounding: RoundingSums = { squares: 0, errors: 0 };

  constructor(threads: number, weights: WeightPrecision = 'float32') {
    super();
    this.threads = threads;
    this.weights = weights;
    this.sessions = new OpSessions(threads);
    // The base class prints an advertisement for another backend at its first write.
    Object.assign(this, { firstUse: false });
  }

  override write(
    values: backend_util.BackendValues,
    _shape: number[],
    dtype: DataType,
  ): { id: number } {
    return this.#store(new TensorRecord({ values, dtype, refCount: 1 }));
  }

  override move(
    dataId: object,
    values: backend_util.BackendValues,
    _shape: number[],
    dtype: DataType,
    refCount: number,
  ): void {
    this.data.set(dataId, new TensorRecord({ values, dtype, refCount }));
  }

  /** Reading does not end a weight's packing: it gets a copy. What it returns is never part of a larger buffer. */
  override readSync(dataId: object): backend_util.BackendValues {
    const record = this.record(dataId);
    if (record.packed !== undefined) return record.packed.unpack();
    const values = super.readSync(dataId);
    const partial = ArrayBuffer.isView(values) && values.byteLength < values.buffer.byteLength;
    return partial ? values.slice() : values;
  }

  override disposeData(dataId: object, force = false): boolean {
    if (!this.data.has(dataId)) return true;
    const record = this.record(dataId);
    const released = super.disposeData(dataId, force);
    if (released) this.#release(record);
    return released;
  }

  override memory(): { unreliable: boolean; reasons: string[] } {
    return { unreliable: false, reasons: [] };
  }

  /** Ends every session. Tensors of this backend are unusable afterwards. */
  override dispose(): void {
    this.sessions.dispose();
    this.pool.clear();
  }

  record(dataId: object): TensorRecord {
    return this.data.get(dataId) as TensorRecord;
  }

  /** Values for reading within a kernel; the caller keeps no reference. */
  values(info: TensorInfo): Float32Array | Int32Array | Uint8Array {
    return this.record(info.dataId).own() as Float32Array | Int32Array | Uint8Array;
  }

  /** Values of an fp32 tensor. tfjs-cpu's cast from int32 only relabels, so the array may be of ints. */
  floats(info: TensorInfo): Float32Array {
    const values = this.record(info.dataId).own();
    return values instanceof Float32Array ? values : Float32Array.from(values as Int32Array);
  }

  /**
   * A new fp32 tensor and its array, of arbitrary content, to be filled by the kernel.
   *
   * @throws SafeInferError ALLOCATION_LIMIT when no typed array is that long or memory is out
   */
  output(shape: readonly number[]): { info: TensorInfo; values: Float32Array } {
    let size = 1;
    for (const length of shape) size *= length;
    const values = this.#allocate(size, shape);
    const record = new TensorRecord({ values, dtype: 'float32', refCount: 1, poolable: true });
    return { info: { dataId: this.#store(record), shape: [...shape], dtype: 'float32' }, values };
  }

  /** Root of the mean squared rounding error of all 8-bit weights, relative to their values; 0 for none. */
  weightRoundingError(): number {
    const { squares, errors } = this.rounding;
    return squares === 0 ? 0 : Math.sqrt(errors / squares);
  }

  /** The tensor is a weight that stays: its first product by few rows packs it. */
  markConstant(dataId: object): void {
    this.record(dataId).constant = true;
  }

  /** Another handle on the same values in another shape. */
  reshaped(info: TensorInfo, shape: readonly number[]): TensorInfo {
    this.incRef(info.dataId);
    return { dataId: info.dataId, shape: [...shape], dtype: info.dtype };
  }

  #allocate(size: number, shape: readonly number[]): Float32Array {
    try {
      if (size > MAX_ELEMENTS) throw new RangeError('longer than a typed array can be');
      return this.pool.take(size);
    } catch (cause) {
      throw new SafeInferError(
        `a tensor of shape [${shape}] needs ${size * 4} bytes, which cannot be allocated`,
        {
          code: 'ALLOCATION_LIMIT',
          hint: `one tensor holds at most ${MAX_ELEMENTS} values here; use fewer rows or shorter ones`,
          cause,
        },
      );
    }
  }

  #store(record: TensorRecord): { id: number } {
    const dataId = { id: nextId++ };
    this.data.set(dataId, record);
    return dataId;
  }

  #release(record: TensorRecord): void {
    if (record.packed !== undefined) record.packed.dispose();
    else if (record.poolable) this.pool.give(record.own() as Float32Array);
  }
}
