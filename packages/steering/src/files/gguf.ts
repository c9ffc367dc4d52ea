// GGUF control vectors, byte by byte as llama.cpp reads and writes them (GGUF version 3).
import { badFile } from './bad-file.ts';
import { fromHalf } from './half-float.ts';

export interface GgufControlVector {
  /** `direction.N` by N: llama.cpp adds it at the output of block N. */
  readonly directions: ReadonlyMap<number, Float32Array>;
  readonly modelHint: string;
  /** Every other key of the file that is a number or a string. */
  readonly metadata: Readonly<Record<string, string | number>>;
}

const MAGIC = 0x46554747;
const ALIGNMENT = 32;
/** Far above any control vector; a header that asks for more is damaged or hostile. */
const MAX_ENTRIES = 1 << 16;

class Reader {
  readonly #view: DataView;
  at = 0;
  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
  #take(size: number): number {
    if (size < 0 || this.at + size > this.#view.byteLength) {
      throw badFile('the GGUF file ends early', 'copy it again; it is cut off or damaged');
    }
    this.at += size;
    return this.at - size;
  }
  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }
  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }
  u64(): number {
    const value = this.#view.getBigUint64(this.#take(8), true);
    return value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(value);
  }
  text(): string {
    const length = this.u64();
    const start = this.#take(length);
    return new TextDecoder().decode(
      new Uint8Array(this.#view.buffer, this.#view.byteOffset + start, length),
    );
  }
  /** One value of a metadata type, or undefined for arrays and others that are skipped. */
  value(type: number, depth = 0): string | number | undefined {
    const v = this.#view;
    switch (type) {
      case 0:
      case 7:
        return this.u8();
      case 1:
        return v.getInt8(this.#take(1));
      case 2:
        return v.getUint16(this.#take(2), true);
      case 3:
        return v.getInt16(this.#take(2), true);
      case 4:
        return this.u32();
      case 5:
        return v.getInt32(this.#take(4), true);
      case 6:
        return v.getFloat32(this.#take(4), true);
      case 8:
        return this.text();
      case 9: {
        const [inner, count] = [this.u32(), this.u64()];
        if (depth > 2) throw badFile('a GGUF array is nested too deep', 'the file is damaged');
        for (let i = 0; i < count; i += 1) this.value(inner, depth + 1);
        return undefined;
      }
      case 10:
        return this.u64();
      case 11:
        return Number(v.getBigInt64(this.#take(8), true));
      case 12:
        return v.getFloat64(this.#take(8), true);
      default:
        throw badFile(`GGUF metadata type ${type} does not exist`, 'the file is damaged');
    }
  }
  float(type: number, at: number): number {
    if (at < 0 || at + (type === 0 ? 4 : 2) > this.#view.byteLength) {
      throw badFile('a GGUF tensor lies outside the file', 'it is cut off or damaged');
    }
    return type === 0 ? this.#view.getFloat32(at, true) : fromHalf(this.#view.getUint16(at, true));
  }
}

/**
 * Reads a control vector. `strict` refuses what llama.cpp refuses: `direction.0` and anything but float32. Without it
 * `direction.0` is block 0's output, as EasySteer writes it. Throws BAD_FILE.
 */
export function parseGguf(
  bytes: Uint8Array,
  options: { readonly strict?: boolean } = {},
): GgufControlVector {
  const { strict = false } = options;
  const reader = new Reader(bytes);
  if (reader.u32() !== MAGIC) throw badFile('not a GGUF file', 'its first bytes must be "GGUF"');
  const version = reader.u32();
  if (version !== 2 && version !== 3) {
    throw badFile(`GGUF version ${version} is not supported`, 'write it again as version 3');
  }
  const [tensors, keys] = [reader.u64(), reader.u64()];
  if (tensors > MAX_ENTRIES || keys > MAX_ENTRIES) {
    throw badFile(`the GGUF header names ${tensors} tensors and ${keys} keys`, 'it is damaged');
  }
  const metadata: Record<string, string | number> = {};
  for (let i = 0; i < keys; i += 1) {
    const key = reader.text();
    const value = reader.value(reader.u32());
    if (value !== undefined) metadata[key] = value;
  }
  const architecture = metadata['general.architecture'];
  if (architecture !== 'controlvector') {
    throw badFile(
      `the GGUF file is a '${architecture}', not a control vector`,
      "its general.architecture must be 'controlvector'",
    );
  }
  const found: { layer: number; width: number; type: number; offset: number }[] = [];
  for (let i = 0; i < tensors; i += 1) {
    const name = reader.text();
    const dimensions = reader.u32();
    if (dimensions > 4) throw badFile(`tensor '${name}' has ${dimensions} axes`, 'it is damaged');
    const shape = Array.from({ length: dimensions }, () => reader.u64());
    const [type, offset] = [reader.u32(), reader.u64()];
    const layer = Number(/^direction\.(\d+)$/.exec(name)?.[1] ?? Number.NaN);
    if (Number.isNaN(layer)) throw badFile(`tensor '${name}' is no direction`, 'use direction.N');
    if (layer === 0 && strict) {
      throw badFile("'direction.0' is not allowed", 'llama.cpp cannot steer the output of block 0');
    }
    if (dimensions !== 1 || type > 1 || (strict && type !== 0)) {
      throw badFile(`'${name}' is not a float vector`, 'directions are 1-D, float32 (or float16)');
    }
    found.push({ layer, width: shape[0]!, type, offset });
  }
  const alignment = Number(metadata['general.alignment'] ?? ALIGNMENT);
  if (!(alignment > 0)) throw badFile(`an alignment of ${alignment}`, 'the file is damaged');
  const start = Math.ceil(reader.at / alignment) * alignment;
  const directions = new Map<number, Float32Array>();
  for (const { layer, width, type, offset } of found) {
    if (width * (type === 0 ? 4 : 2) > bytes.byteLength || width !== found[0]!.width) {
      throw badFile(`direction.${layer} has ${width} numbers`, 'all have the width of one model');
    }
    if (directions.has(layer)) throw badFile(`direction.${layer} occurs twice`, 'it is damaged');
    const values = new Float32Array(width);
    for (let i = 0; i < width; i += 1) {
      values[i] = reader.float(type, start + offset + i * (type === 0 ? 4 : 2));
    }
    directions.set(layer, values);
  }
  return { directions, modelHint: String(metadata['controlvector.model_hint'] ?? ''), metadata };
}

/** Bytes of a control vector that llama.cpp loads; directions by block, 1 and up. */
export function writeGguf(options: {
  readonly directions: ReadonlyMap<number, Float32Array>;
  readonly modelHint: string;
}): Uint8Array {
  const directions = [...options.directions].sort(([a], [b]) => a - b);
  const parts: Uint8Array[] = [];
  const u32 = (value: number): void => {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, value, true);
    parts.push(bytes);
  };
  const u64 = (value: number): void => {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
    parts.push(bytes);
  };
  const text = (value: string): void => {
    const bytes = new TextEncoder().encode(value);
    u64(bytes.length);
    parts.push(bytes);
  };
  u32(MAGIC);
  u32(3);
  u64(directions.length);
  u64(3);
  for (const [key, value] of [
    ['general.architecture', 'controlvector'],
    ['controlvector.model_hint', options.modelHint],
  ] as const) {
    text(key);
    u32(8);
    text(value);
  }
  text('controlvector.layer_count');
  u32(4);
  u32(directions.length);
  const padded = (values: Float32Array): number =>
    Math.ceil(values.byteLength / ALIGNMENT) * ALIGNMENT;
  let offset = 0;
  for (const [layer, values] of directions) {
    text(`direction.${layer}`);
    u32(1);
    u64(values.length);
    u32(0);
    u64(offset);
    offset += padded(values);
  }
  const header = parts.reduce((sum, part) => sum + part.length, 0);
  const start = Math.ceil(header / ALIGNMENT) * ALIGNMENT;
  const out = new Uint8Array(start + offset);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  const view = new DataView(out.buffer);
  at = start;
  for (const [, values] of directions) {
    for (const [i, value] of values.entries()) view.setFloat32(at + 4 * i, value, true);
    at += padded(values);
  }
  return out;
}
