// The element types of a safetensors file: their width, and how each becomes a typed array.
import { SafeInferError } from '@safeinfer/backend';

/**
 * Bits per element of every dtype that the format names (safetensors `Dtype`).
 * Widths below 8 pack several elements in a byte; they are sized here so that a file holding them
 * can be opened, but reading such a tensor is refused by name. The order is the one in which the
 * reference library lays tensors out, last first.
 */
export const dtypeBits = {
  BOOL: 8,
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  C64: 64,
  F64: 64,
  I64: 64,
  U64: 64,
} as const;

/** A dtype name as it stands in a safetensors header. */
export type SafetensorsDtype = keyof typeof dtypeBits;

/** Whether `name` is a dtype of the format (own keys only: `constructor` is not one). */
export function isSafetensorsDtype(name: string): name is SafetensorsDtype {
  return Object.hasOwn(dtypeBits, name);
}

/** Bits of the float32 of every 16-bit IEEE half, by lookup: all 65,536 fit in 256 KiB. */
let halfTable: Uint32Array | undefined;

function halves(): Uint32Array {
  if (halfTable !== undefined) return halfTable;
  const table = new Float32Array(65_536);
  for (let bits = 0; bits < 65_536; bits++) {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 0x1f;
    const fraction = bits & 0x3ff;
    if (exponent === 0) table[bits] = sign * fraction * 2 ** -24;
    else if (exponent === 31) table[bits] = fraction === 0 ? sign * Infinity : Number.NaN;
    else table[bits] = sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  }
  halfTable = new Uint32Array(table.buffer);
  return halfTable;
}

/** One chunk of raw little-endian elements, already aligned, and where its values go. */
export interface ConversionChunk {
  readonly bytes: ArrayBuffer;
  readonly count: number;
  readonly offset: number;
}

type FloatSink = Float32Array | Float64Array;

/** Widens bfloat16, which is the high half of a float32. A loop of its own: closures cost half the speed. */
function widenBrains(source: Uint16Array, words: Uint32Array): void {
  for (let i = 0; i < source.length; i++) words[i] = (source[i] as number) << 16;
}

function widenHalves(source: Uint16Array, words: Uint32Array): void {
  const table = halves();
  for (let i = 0; i < source.length; i++) words[i] = table[source[i] as number] as number;
}

/** Writes 16-bit elements as bits of float32; in place when `out` is float32. */
function widen(
  { bytes, count, offset }: ConversionChunk,
  out: FloatSink,
  widened: (source: Uint16Array, words: Uint32Array) => void,
): void {
  const direct = out instanceof Float32Array;
  const words = direct
    ? new Uint32Array(out.buffer, out.byteOffset + 4 * offset, count)
    : new Uint32Array(count);
  widened(new Uint16Array(bytes, 0, count), words);
  if (!direct) out.set(new Float32Array(words.buffer), offset);
}

/** Writes a chunk of a float dtype into `out` from `chunk.offset` on; exact except F64 -> float32. */
export function convertFloats(
  dtype: SafetensorsDtype,
  chunk: ConversionChunk,
  out: FloatSink,
): void {
  const { bytes, count, offset } = chunk;
  switch (dtype) {
    case 'F32':
      out.set(new Float32Array(bytes, 0, count), offset);
      return;
    case 'F64':
      out.set(new Float64Array(bytes, 0, count), offset);
      return;
    case 'BF16':
      widen(chunk, out, widenBrains);
      return;
    case 'F16':
      widen(chunk, out, widenHalves);
      return;
    default:
      throw unsupportedDtype(dtype);
  }
}

/** Writes a chunk of an integer dtype into `out`; a value outside int32 is an error, never a wrap. */
export function convertInts(
  dtype: SafetensorsDtype,
  { bytes, count, offset }: ConversionChunk,
  out: Int32Array,
): void {
  switch (dtype) {
    case 'BOOL':
    case 'U8':
      out.set(new Uint8Array(bytes, 0, count), offset);
      return;
    case 'I8':
      out.set(new Int8Array(bytes, 0, count), offset);
      return;
    case 'I16':
      out.set(new Int16Array(bytes, 0, count), offset);
      return;
    case 'U16':
      out.set(new Uint16Array(bytes, 0, count), offset);
      return;
    case 'I32':
      out.set(new Int32Array(bytes, 0, count), offset);
      return;
    case 'U32': {
      const source = new Uint32Array(bytes, 0, count);
      for (let i = 0; i < count; i++) out[offset + i] = asInt32(dtype, source[i] as number);
      return;
    }
    case 'I64':
    case 'U64': {
      const source =
        dtype === 'I64' ? new BigInt64Array(bytes, 0, count) : new BigUint64Array(bytes, 0, count);
      for (let i = 0; i < count; i++) out[offset + i] = asInt32(dtype, source[i] as bigint);
      return;
    }
    default:
      throw unsupportedDtype(dtype);
  }
}

function asInt32(dtype: SafetensorsDtype, value: number | bigint): number {
  if (value > 2_147_483_647 || value < -2_147_483_648) {
    throw new SafeInferError(`a ${dtype} value, ${value}, does not fit in int32`, {
      code: 'BAD_WEIGHTS',
      hint: 'use readRaw() and interpret the bytes, or store the tensor as I32',
    });
  }
  return Number(value);
}

const floatDtypes: ReadonlySet<SafetensorsDtype> = new Set(['F16', 'BF16', 'F32', 'F64']);
const intDtypes: ReadonlySet<SafetensorsDtype> = new Set([
  'BOOL',
  'U8',
  'I8',
  'U16',
  'I16',
  'U32',
  'I32',
  'U64',
  'I64',
]);

/** Which typed array a dtype becomes; `undefined` for those that can only be read raw. */
export function dtypeKind(dtype: SafetensorsDtype): 'float' | 'int' | undefined {
  if (floatDtypes.has(dtype)) return 'float';
  return intDtypes.has(dtype) ? 'int' : undefined;
}

/** The refusal of a dtype that has no typed array here (8-bit and narrower floats, complex). */
export function unsupportedDtype(dtype: SafetensorsDtype, name?: string): SafeInferError {
  const subject = name === undefined ? `dtype ${dtype}` : `tensor '${name}' has dtype ${dtype}`;
  return new SafeInferError(`${subject}, which cannot be converted to float32 or int32`, {
    code: 'UNSUPPORTED',
    hint: 'dequantise the checkpoint to F32, BF16 or F16 first; readRaw() gives the bytes as they are',
  });
}
