// NumPy arrays: .npy and zipped .npz, both ways.
import { unzipSync, zipSync } from 'fflate';
import { badFile } from './bad-file.ts';
import { fromHalf } from './half-float.ts';

export interface NumpyArray {
  readonly shape: readonly number[];
  /** Row-major, whatever the file's order. */
  readonly data: Float32Array;
}

const MAGIC = '\x93NUMPY';

/** One .npy array of floats or 32-bit integers; float64 is rounded. Throws BAD_FILE, also for pickled objects. */
export function parseNpy(bytes: Uint8Array): NumpyArray {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 12 || String.fromCharCode(...bytes.subarray(0, 6)) !== MAGIC) {
    throw badFile('not a .npy array', 'write it with numpy.save');
  }
  const long = view.getUint8(6) >= 2;
  const length = long ? view.getUint32(8, true) : view.getUint16(8, true);
  const start = (long ? 12 : 10) + length;
  if (start > bytes.length) throw badFile('a .npy header ends early', 'the file is cut off');
  const header = new TextDecoder().decode(bytes.subarray(long ? 12 : 10, start));
  const descr = /'descr':\s*'([^']*)'/.exec(header)?.[1] ?? '';
  const shapeText = /'shape':\s*\(([^)]*)\)/.exec(header)?.[1];
  const match = /^([<>|=])(f[248]|i4)$/.exec(descr);
  if (!match || shapeText === undefined) {
    throw badFile(
      `a .npy array of type '${descr}' cannot be read`,
      'save float32 (pickled objects are never loaded)',
    );
  }
  const shape = shapeText.split(',').flatMap((part) => (part.trim() ? [Number(part)] : []));
  const size = shape.reduce((product, axis) => product * axis, 1);
  const bytesEach = Number(match[2]![1]);
  if (!Number.isSafeInteger(size) || size < 0 || start + size * bytesEach > bytes.length) {
    throw badFile(`a .npy array of shape (${shape}) ends early`, 'the file is cut off');
  }
  const little = match[1] !== '>';
  const read = (i: number): number => {
    const at = start + i * bytesEach;
    switch (match[2]) {
      case 'f2':
        return fromHalf(view.getUint16(at, little));
      case 'f4':
        return view.getFloat32(at, little);
      case 'f8':
        return view.getFloat64(at, little);
      default:
        return view.getInt32(at, little);
    }
  };
  const data = Float32Array.from({ length: size }, (_, i) => read(i));
  if (!/'fortran_order':\s*True/.test(header) || shape.length < 2) return { shape, data };
  return { shape, data: rowMajor(data, shape) };
}

function rowMajor(data: Float32Array, shape: readonly number[]): Float32Array {
  const out = new Float32Array(data.length);
  const index = shape.map(() => 0);
  for (let place = 0; place < data.length; place += 1) {
    // `place` runs with the first axis fastest: Fortran's order.
    let target = 0;
    for (const [axis, i] of index.entries()) target = target * shape[axis]! + i;
    out[target] = data[place]!;
    for (let axis = 0; axis < shape.length; axis += 1) {
      index[axis]! += 1;
      if (index[axis]! < shape[axis]!) break;
      index[axis] = 0;
    }
  }
  return out;
}

export function writeNpy({ shape, data }: NumpyArray): Uint8Array {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': ${tuple}, }`;
  // Magic, version and length take 10 bytes; the header ends with a line break on a multiple of 64.
  const length = Math.ceil((10 + text.length + 1) / 64) * 64 - 10;
  const out = new Uint8Array(10 + length + 4 * data.length);
  const view = new DataView(out.buffer);
  out.set(Array.from(MAGIC, (character) => character.charCodeAt(0)));
  view.setUint8(6, 1);
  view.setUint16(8, length, true);
  out.set(new TextEncoder().encode(`${text.padEnd(length - 1)}\n`), 10);
  for (const [i, value] of data.entries()) view.setFloat32(10 + length + 4 * i, value, true);
  return out;
}

/** All arrays of an .npz archive by name. */
export function parseNpz(bytes: Uint8Array): Map<string, NumpyArray> {
  let entries: Record<string, Uint8Array>;
  try {
    entries = unzipSync(bytes);
  } catch (cause) {
    throw badFile('not an .npz archive', 'write it with numpy.savez', cause);
  }
  return new Map(
    Object.entries(entries)
      .filter(([name]) => name.endsWith('.npy'))
      .map(([name, content]) => [name.slice(0, -4), parseNpy(content)]),
  );
}

export function writeNpz(arrays: ReadonlyMap<string, NumpyArray>): Uint8Array {
  const entries = Object.fromEntries([...arrays].map(([name, a]) => [`${name}.npy`, writeNpy(a)]));
  // A fixed time: equal vectors give equal bytes. NumPy does not compress by default either.
  return zipSync(entries, { level: 0, mtime: '1980-01-02T00:00:00' });
}
