// An open safetensors file: its header checked once, its tensors read by byte range.
import { type FileHandle, open, stat } from 'node:fs/promises';
import { endianness } from 'node:os';
import { SafeInferError, throwIfAborted } from '@safeinfer/backend';
import { badSafetensors } from './bad-safetensors.ts';
import {
  type ConversionChunk,
  convertFloats,
  convertInts,
  dtypeBits,
  dtypeKind,
  type SafetensorsDtype,
  unsupportedDtype,
} from './dtype.ts';
import { maxHeaderBytes, parseHeader, type TensorInfo } from './header.ts';

/** Values of one tensor, row-major. Floats become float32, integers and booleans int32. */
export interface TensorData {
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array;
}

export interface ReadOptions {
  /** Only rows `[start, end)` of the first dimension; the rest of the tensor is not read. */
  readonly rows?: readonly [start: number, end: number];
  readonly signal?: AbortSignal;
}

/** Bytes converted at a time: large enough to stream, small enough never to matter in memory. */
const chunkBytes = 4 * 1024 * 1024;

/**
 * Opens a safetensors file and checks its header completely; no tensor data is read yet.
 *
 * @throws SafeInferError `NOT_FOUND`, or `BAD_FILE` naming the first violation of the format
 */
export async function openSafetensors(path: string): Promise<SafetensorsFile> {
  if (endianness() !== 'LE') {
    throw new SafeInferError('safetensors needs a little-endian machine', {
      code: 'UNSUPPORTED',
      hint: 'run on x86-64 or arm64',
    });
  }
  await requireRegularFile(path);
  const handle = await open(path, 'r');
  try {
    return new SafetensorsFile(path, handle, await readHeader(path, handle));
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Opening a pipe or a device would block or never end, so only regular files go further. */
async function requireRegularFile(path: string): Promise<void> {
  const found = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    throw new SafeInferError(`cannot open ${path}: ${cause.code ?? cause.message}`, {
      code: 'NOT_FOUND',
      hint: 'check the path; a broken link in a hub cache means that its download was interrupted',
      cause,
    });
  });
  if (!found.isFile()) throw badSafetensors('it is not a regular file', path);
}

interface LocatedHeader {
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly metadata: ReadonlyMap<string, string>;
  readonly dataStart: number;
}

async function readHeader(path: string, handle: FileHandle): Promise<LocatedHeader> {
  const { size } = await handle.stat();
  if (size < 8)
    throw badSafetensors(`it holds ${size} bytes, the length field alone takes 8`, path);
  const prefix = new Uint8Array(8);
  await readFully(handle, prefix, { position: 0, path });
  // BigInt first: the field can hold more than a double can tell apart.
  const length = new DataView(prefix.buffer).getBigUint64(0, true);
  if (length > BigInt(maxHeaderBytes)) {
    throw badSafetensors(`its header claims ${length} bytes, more than ${maxHeaderBytes}`, path);
  }
  const headerBytes = Number(length);
  if (headerBytes > size - 8) {
    throw badSafetensors(`its header claims ${length} bytes, the file holds ${size - 8}`, path);
  }
  const bytes = new Uint8Array(headerBytes);
  await readFully(handle, bytes, { position: 8, path });
  const dataStart = 8 + headerBytes;
  try {
    return { ...parseHeader(bytes, size - dataStart), dataStart };
  } catch (error) {
    if (!SafeInferError.isInstance(error)) throw error;
    throw new SafeInferError(`${path}: ${error.message}`, { code: error.code, hint: error.hint });
  }
}

/** Fills `target` or throws: a short read means that the file shrank under us. */
async function readFully(
  handle: FileHandle,
  target: Uint8Array,
  at: { readonly position: number; readonly path: string },
): Promise<void> {
  let done = 0;
  while (done < target.byteLength) {
    const { bytesRead } = await handle.read(
      target,
      done,
      target.byteLength - done,
      at.position + done,
    );
    if (bytesRead === 0) {
      throw badSafetensors('it became shorter while it was being read', at.path);
    }
    done += bytesRead;
  }
}

/** A safetensors file that is open for reading; close it, or hold it with `await using`. */
export class SafetensorsFile {
  readonly path: string;
  /** Every tensor by name; offsets count from the start of the data section. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** The `__metadata__` map of the header. */
  readonly metadata: ReadonlyMap<string, string>;
  readonly #dataStart: number;
  #handle: FileHandle | undefined;

  /** Use `openSafetensors`. */
  constructor(path: string, handle: FileHandle, header: LocatedHeader) {
    this.path = path;
    this.tensors = header.tensors;
    this.metadata = header.metadata;
    this.#dataStart = header.dataStart;
    this.#handle = handle;
  }

  /**
   * Reads one tensor, converted: F16, BF16, F32 and F64 to float32 (F64 rounds), integers and BOOL
   * to int32.
   *
   * @throws SafeInferError `BAD_WEIGHTS` (no such tensor, or an integer outside int32),
   *   `UNSUPPORTED` (dtype), `ABORTED`, `DISPOSED`
   */
  async read(name: string, options: ReadOptions = {}): Promise<TensorData> {
    const slice = this.#locate(name, options);
    const kind = dtypeKind(slice.dtype);
    if (kind === undefined) throw unsupportedDtype(slice.dtype, name);
    const { dtype, shape } = slice;
    if (kind === 'int') {
      const data = new Int32Array(slice.count);
      await this.#convert(slice, (chunk) => convertInts(dtype, chunk, data));
      return { dtype, shape, data };
    }
    const data = new Float32Array(slice.count);
    if (dtype === 'F32') {
      // The layout in the file is the layout in memory: no second copy.
      await this.#fill(new Uint8Array(data.buffer), slice.position, options.signal);
    } else {
      await this.#convert(slice, (chunk) => convertFloats(dtype, chunk, data));
    }
    return { dtype, shape, data };
  }

  /** Reads a float tensor without rounding F64; float64 holds every other float dtype exactly. */
  async readFloat64(name: string, options: ReadOptions = {}): Promise<Float64Array> {
    const slice = this.#locate(name, options);
    if (dtypeKind(slice.dtype) !== 'float') throw unsupportedDtype(slice.dtype, name);
    const data = new Float64Array(slice.count);
    await this.#convert(slice, (chunk) => convertFloats(slice.dtype, chunk, data));
    return data;
  }

  /** The bytes of a tensor as they lie in the file; works for every dtype. */
  async readRaw(name: string, options: Pick<ReadOptions, 'signal'> = {}): Promise<Uint8Array> {
    const { begin, end } = this.#info(name);
    const bytes = new Uint8Array(end - begin);
    await this.#fill(bytes, this.#dataStart + begin, options.signal);
    return bytes;
  }

  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #info(name: string): TensorInfo {
    const info = this.tensors.get(name);
    if (info !== undefined) return info;
    throw new SafeInferError(`${this.path} holds no tensor named '${name}'`, {
      code: 'BAD_WEIGHTS',
      hint: 'list the names with [...file.tensors.keys()]',
    });
  }

  #locate(name: string, options: ReadOptions): Slice {
    const info = this.#info(name);
    const { dtype } = info;
    const [first, ...rest] = info.shape;
    const { rows, signal } = options;
    // From the checked byte count: a product of the shape could overflow beside a zero dimension.
    const total = ((info.end - info.begin) * 8) / dtypeBits[dtype];
    const perRow = first ? total / first : total;
    const [start, end] = rows ?? [0, first ?? 1];
    const valid = Number.isInteger(start) && Number.isInteger(end) && 0 <= start && start <= end;
    if (rows !== undefined && !(first !== undefined && valid && end <= first)) {
      throw new SafeInferError(
        `rows [${start}, ${end}) do not lie in tensor '${name}' of shape [${info.shape}]`,
        { code: 'BAD_ARGUMENT', hint: 'give 0 <= start <= end <= shape[0] of a tensor with rank' },
      );
    }
    // Whole bytes: convertible dtypes are at least 8 bits wide, the others never get here with rows.
    const bytesPerRow = (perRow * dtypeBits[dtype]) / 8;
    return {
      dtype,
      shape: first === undefined ? [] : [end - start, ...rest],
      count: first === undefined ? total : (end - start) * perRow,
      position: this.#dataStart + info.begin + start * bytesPerRow,
      signal,
    };
  }

  async #fill(target: Uint8Array, position: number, signal?: AbortSignal): Promise<void> {
    for (let done = 0; done < target.byteLength; done += chunkBytes) {
      throwIfAborted(signal);
      const part = target.subarray(done, Math.min(done + chunkBytes, target.byteLength));
      await readFully(this.#open(), part, { position: position + done, path: this.path });
    }
  }

  /** Offsets in the file are not aligned, so each chunk is read into an aligned buffer first. */
  async #convert(slice: Slice, write: (chunk: ConversionChunk) => void): Promise<void> {
    const width = dtypeBits[slice.dtype] / 8;
    const perChunk = Math.min(chunkBytes / width, slice.count);
    const bytes = new ArrayBuffer(perChunk * width);
    for (let offset = 0; offset < slice.count; offset += perChunk) {
      throwIfAborted(slice.signal);
      const count = Math.min(perChunk, slice.count - offset);
      const position = slice.position + offset * width;
      const target = new Uint8Array(bytes, 0, count * width);
      await readFully(this.#open(), target, { position, path: this.path });
      write({ bytes, count, offset });
    }
  }

  #open(): FileHandle {
    if (this.#handle !== undefined) return this.#handle;
    throw new SafeInferError(`${this.path} has been closed`, {
      code: 'DISPOSED',
      hint: 'read every tensor before close(), or open the file again',
    });
  }
}

interface Slice {
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  readonly count: number;
  readonly position: number;
  readonly signal: AbortSignal | undefined;
}
