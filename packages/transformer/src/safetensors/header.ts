// The header of a safetensors file: a strict parser and every consistency check of the format.
import { badSafetensors, quoted } from './bad-safetensors.ts';
import { dtypeBits, isSafetensorsDtype, type SafetensorsDtype } from './dtype.ts';
import { HeaderCursor } from './header-cursor.ts';

/** One tensor of a file. `begin` and `end` are byte offsets into the data section. */
export interface TensorInfo {
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly metadata: ReadonlyMap<string, string>;
}

/** The reference implementation's own cap on the header, in bytes: no real model comes near it. */
export const maxHeaderBytes = 100_000_000;
/** The largest open checkpoints hold about 1e5 tensors over all shards; more is an attack. */
const maxTensors = 1_000_000;
/** NumPy's cap on dimensions; TensorFlow.js stops at 6. */
const maxRank = 64;

/**
 * Parses and checks the JSON header of a safetensors file.
 *
 * Checks (safetensors/src/tensor.rs): starts with `{`, strict UTF-8 and JSON, only spaces after the
 * end, no duplicate name, `__metadata__` maps strings to strings, known dtypes, non-negative safe
 * integers, `end - begin = product(shape) * bits / 8` in exact arithmetic, and tensors that tile the
 * data section from 0 to `dataBytes` with neither hole nor overlap.
 *
 * @param bytes the header as it lies in the file, without the 8-byte length
 * @param dataBytes length of the data section, in bytes
 * @throws SafeInferError `BAD_FILE` with the first violation
 */
export function parseHeader(bytes: Uint8Array, dataBytes: number): SafetensorsHeader {
  if (bytes[0] !== 0x7b) throw badSafetensors("the header does not start with '{'");
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw badSafetensors('the header is not UTF-8');
  }
  const header = readHeaderObject(text);
  checkTiling(header.tensors, dataBytes);
  return header;
}

function readHeaderObject(text: string): SafetensorsHeader {
  const cursor = new HeaderCursor(text);
  const tensors = new Map<string, TensorInfo>();
  let metadata: Map<string, string> | undefined;
  cursor.object((name) => {
    if (name === '__metadata__') {
      if (metadata !== undefined) throw badSafetensors("duplicate key '__metadata__'");
      metadata = readMetadata(cursor);
      return;
    }
    if (tensors.has(name)) throw badSafetensors(`duplicate tensor name ${quoted(name)}`);
    if (tensors.size >= maxTensors) throw badSafetensors(`more than ${maxTensors} tensors`);
    tensors.set(name, readTensorInfo(cursor, name));
  });
  cursor.finish();
  return { tensors, metadata: metadata ?? new Map() };
}

function readMetadata(cursor: HeaderCursor): Map<string, string> {
  const metadata = new Map<string, string>();
  cursor.object((key) => {
    if (metadata.has(key)) throw badSafetensors(`duplicate key ${quoted(key)} in __metadata__`);
    if (cursor.peek() !== '"') {
      throw badSafetensors(`__metadata__ entry ${quoted(key)} is not a string`);
    }
    metadata.set(key, cursor.string());
  });
  return metadata;
}

function readTensorInfo(cursor: HeaderCursor, name: string): TensorInfo {
  let dtype: string | undefined;
  let shape: number[] | undefined;
  let offsets: number[] | undefined;
  const once = (field: string, seen: unknown): void => {
    if (seen !== undefined)
      throw badSafetensors(`tensor ${quoted(name)} has two '${field}' fields`);
  };
  cursor.object((field) => {
    if (field === 'dtype') {
      once(field, dtype);
      dtype = cursor.string();
    } else if (field === 'shape') {
      once(field, shape);
      shape = cursor.naturals(maxRank);
    } else if (field === 'data_offsets') {
      once(field, offsets);
      offsets = cursor.naturals(2);
    } else {
      cursor.skipValue();
    }
  });
  if (dtype === undefined || shape === undefined || offsets === undefined) {
    throw badSafetensors(`tensor ${quoted(name)} lacks dtype, shape or data_offsets`);
  }
  if (!isSafetensorsDtype(dtype)) {
    throw badSafetensors(`tensor ${quoted(name)} has the unknown dtype ${quoted(dtype)}`);
  }
  const [begin, end] = offsets;
  if (begin === undefined || end === undefined) {
    throw badSafetensors(`tensor ${quoted(name)}: data_offsets must be [begin, end]`);
  }
  checkSize({ name, dtype, shape, begin, end });
  return { dtype, shape, begin, end };
}

function checkSize(entry: TensorInfo & { readonly name: string }): void {
  const { name, dtype, shape, begin, end } = entry;
  if (begin > end) throw badSafetensors(`tensor ${quoted(name)} ends before it begins`);
  // BigInt: the product of a hostile shape passes 2^53 long before it passes any sanity check.
  const bits = shape.reduce((product, size) => product * BigInt(size), BigInt(dtypeBits[dtype]));
  if (bits !== BigInt(end - begin) * 8n) {
    throw badSafetensors(
      `tensor ${quoted(name)} takes ${end - begin} bytes, but ${dtype} [${shape}] needs ${bits} bits`,
    );
  }
}

function checkTiling(tensors: ReadonlyMap<string, TensorInfo>, dataBytes: number): void {
  const ordered = [...tensors].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  let expected = 0;
  for (const [name, { begin, end }] of ordered) {
    if (begin !== expected) {
      const problem =
        begin < expected ? 'overlaps the tensor before it' : 'leaves a hole before it';
      throw badSafetensors(
        `tensor ${quoted(name)} ${problem} (byte ${begin}, expected ${expected})`,
      );
    }
    expected = end;
  }
  if (expected !== dataBytes) {
    throw badSafetensors(
      `the tensors end at byte ${expected} of the data, but the file holds ${dataBytes} bytes of it`,
    );
  }
}
