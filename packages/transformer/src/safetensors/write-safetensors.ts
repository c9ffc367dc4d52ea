// Writes a safetensors file: checked first, streamed tensor by tensor, renamed into place at the end.
import type { FileHandle } from 'node:fs/promises';
import { endianness } from 'node:os';
import { SafeInferError, throwIfAborted } from '@safeinfer/backend';
import { writeAtomically } from './atomic-write.ts';
import { dtypeBits, type SafetensorsDtype } from './dtype.ts';
import { bfloat16Bits, float16Bits } from './rounding.ts';

/** Values to write. A `Uint8Array` is the little-endian bytes of any dtype, written as they are. */
export type TensorValues = Float32Array | Float64Array | Int32Array | Uint8Array;

/** A tensor to write. `data` may be a function, called once when its turn comes, to save memory. */
export interface TensorToWrite {
  readonly name: string;
  /** F32, F16 and BF16 take float values (rounded to nearest even), F64 float64, I32 int32. */
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  readonly data: TensorValues | (() => TensorValues | Promise<TensorValues>);
}

export interface WriteOptions {
  /** `__metadata__`; transformers wants `format: 'pt'`, which is the default. */
  readonly metadata?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** Called after each tensor with the bytes of tensor data written so far. */
  readonly onProgress?: (bytes: number) => void;
}

interface PlacedTensor extends TensorToWrite {
  readonly bytes: number;
}

/**
 * Writes tensors in the layout of the Python library: widest dtype first, then by name, so that
 * every tensor is aligned to its element; the header is padded with spaces to a multiple of 8.
 * The file appears at `path` complete or not at all.
 *
 * @throws SafeInferError `BAD_ARGUMENT` (names, shapes, array types), `BAD_WEIGHTS` (a finite value
 *   that overflows the 16-bit dtype), `ABORTED`
 */
export async function writeSafetensors(
  path: string,
  tensors: Iterable<TensorToWrite>,
  options: WriteOptions = {},
): Promise<void> {
  if (endianness() !== 'LE') {
    throw new SafeInferError('safetensors needs a little-endian machine', {
      code: 'UNSUPPORTED',
      hint: 'run on x86-64 or arm64',
    });
  }
  const placed = place(tensors);
  const header = headerBytes(placed, options.metadata ?? { format: 'pt' });
  await writeAtomically(path, async (handle) => {
    await handle.writeFile(header);
    let written = 0;
    for (const tensor of placed) {
      throwIfAborted(options.signal);
      const values = typeof tensor.data === 'function' ? await tensor.data() : tensor.data;
      await writeFully(handle, elementBytes(tensor, values));
      written += tensor.bytes;
      options.onProgress?.(written);
    }
    throwIfAborted(options.signal);
  });
}

async function writeFully(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  // FileHandle.write takes a length below 2^31; writeFile loops over partial writes itself.
  const step = 1 << 30;
  for (let at = 0; at < bytes.byteLength; at += step) {
    await handle.writeFile(bytes.subarray(at, at + step));
  }
}

function bad(message: string, hint: string): SafeInferError {
  return new SafeInferError(message, { code: 'BAD_ARGUMENT', hint });
}

const layoutOrder: readonly string[] = Object.keys(dtypeBits);

function place(tensors: Iterable<TensorToWrite>): PlacedTensor[] {
  const seen = new Set<string>();
  const placed: PlacedTensor[] = [];
  for (const tensor of tensors) {
    const { name, dtype, shape, data } = tensor;
    if (seen.has(name))
      throw bad(`two tensors are named '${name}'`, 'give every tensor its own name');
    if (name === '__metadata__' || /[\ud800-\udfff]/u.test(name)) {
      throw bad(`a tensor cannot be named ${JSON.stringify(name)}`, 'choose another name');
    }
    seen.add(name);
    if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0)) {
      throw bad(`tensor '${name}' has the shape [${shape}]`, 'sizes are non-negative integers');
    }
    const bytes = (shape.reduce((product, size) => product * size, 1) * dtypeBits[dtype]) / 8;
    if (!Number.isSafeInteger(bytes)) {
      throw bad(`tensor '${name}' takes ${bytes} bytes`, 'sub-byte dtypes must fill whole bytes');
    }
    if (typeof data !== 'function') checkValues({ ...tensor, bytes }, data);
    placed.push({ ...tensor, bytes });
  }
  return placed.sort(
    (a, b) =>
      layoutOrder.indexOf(b.dtype) - layoutOrder.indexOf(a.dtype) ||
      Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)),
  );
}

function headerBytes(
  tensors: readonly PlacedTensor[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  // Entries, not an object literal: `__proto__` is a legal tensor name.
  const entries: string[] = [];
  if (Object.keys(metadata).length > 0) entries.push(`"__metadata__":${JSON.stringify(metadata)}`);
  let begin = 0;
  for (const { name, dtype, shape, bytes } of tensors) {
    const info = JSON.stringify({ dtype, shape, data_offsets: [begin, begin + bytes] });
    entries.push(`${JSON.stringify(name)}:${info}`);
    begin += bytes;
  }
  const json = Buffer.from(`{${entries.join(',')}}`);
  const padded = Buffer.alloc(8 + Math.ceil(json.length / 8) * 8, ' ');
  padded.writeBigUInt64LE(BigInt(padded.length - 8));
  padded.set(json, 8);
  return padded;
}

/** Which array types can become a dtype; a `Uint8Array` of raw bytes always can. */
const acceptedArrays: Partial<Record<SafetensorsDtype, readonly string[]>> = {
  F32: ['Float32Array', 'Float64Array'],
  F16: ['Float32Array'],
  BF16: ['Float32Array'],
  F64: ['Float64Array', 'Float32Array'],
  I32: ['Int32Array'],
};

function checkValues(tensor: PlacedTensor, values: TensorValues): void {
  const { name, dtype, shape, bytes } = tensor;
  const raw = values instanceof Uint8Array;
  const accepted = acceptedArrays[dtype] ?? [];
  if (!raw && !accepted.includes(values.constructor.name)) {
    throw bad(
      `tensor '${name}': a ${values.constructor.name} cannot be written as ${dtype}`,
      `give ${[...accepted, 'a Uint8Array of the raw bytes'].join(' or ')}`,
    );
  }
  const wanted = raw ? bytes : (bytes * 8) / dtypeBits[dtype];
  if (values.length !== wanted) {
    throw bad(
      `tensor '${name}' has ${values.length} ${raw ? 'bytes' : 'values'}, ${dtype} [${shape}] needs ${wanted}`,
      'the length must be the product of the shape',
    );
  }
}

function elementBytes(tensor: PlacedTensor, values: TensorValues): Uint8Array {
  checkValues(tensor, values);
  if (values instanceof Uint8Array) return values;
  switch (tensor.dtype) {
    case 'F16':
    case 'BF16':
      return bytesOf(rounded(tensor, values));
    case 'F32':
      return bytesOf(values instanceof Float32Array ? values : Float32Array.from(values));
    case 'F64':
      return bytesOf(values instanceof Float64Array ? values : Float64Array.from(values));
    default:
      return bytesOf(values);
  }
}

function bytesOf(array: Float32Array | Float64Array | Int32Array | Uint16Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

function rounded(
  tensor: PlacedTensor,
  values: Float32Array | Float64Array | Int32Array,
): Uint16Array {
  const half = tensor.dtype === 'F16';
  const infinity = half ? 0x7c00 : 0x7f80;
  const bits = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    const rounded = half ? float16Bits(value) : bfloat16Bits(value);
    if ((rounded & 0x7fff) === infinity && Number.isFinite(value)) {
      throw new SafeInferError(
        `tensor '${tensor.name}': ${value} overflows ${tensor.dtype} (element ${i})`,
        { code: 'BAD_WEIGHTS', hint: 'write this tensor as F32, or as BF16 instead of F16' },
      );
    }
    bits[i] = rounded;
  }
  return bits;
}
