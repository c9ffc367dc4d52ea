// Reader of the reference's statistics files: a zip of numpy arrays with mom2.mom2 = sum of k kT and mom2.count.
import { SafeInferError } from '@safeinfer/backend';
import { unzipSync } from 'fflate';
import type { MeasuredMoment } from './second-moment.ts';

interface NumpyArray {
  readonly shape: readonly number[];
  readonly values: Float64Array;
}

/**
 * Second moment of a `{layer}_float32_mom2_100000.npz` of ROME, MEMIT or EasyEdit: mom2.mom2 / mom2.count.
 * @throws BAD_FILE naming what is missing or damaged
 */
export function readMomentNpz(bytes: Uint8Array): MeasuredMoment {
  let entries: Record<string, Uint8Array>;
  try {
    const wanted = new Set(['mom2.mom2.npy', 'mom2.count.npy']);
    entries = unzipSync(bytes, { filter: ({ name }) => wanted.has(name) });
  } catch (cause) {
    throw bad('it is no zip archive', cause);
  }
  const sum = readNpy(entries, 'mom2.mom2');
  const count = readNpy(entries, 'mom2.count').values[0] ?? 0;
  const [size, width] = sum.shape;
  if (sum.shape.length !== 2 || size === undefined || size !== width) {
    throw bad(`mom2.mom2 is [${sum.shape}], not square`);
  }
  if (!Number.isSafeInteger(count) || count < 1) throw bad(`mom2.count is ${count}`);
  return { kind: 'measured', values: sum.values.map((x) => x / count), size, tokens: count };
}

function readNpy(entries: Readonly<Record<string, Uint8Array>>, name: string): NumpyArray {
  const file = entries[`${name}.npy`];
  if (!file) throw bad(`it has no array ${name}`);
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const magic = file.length > 12 && String.fromCharCode(...file.subarray(1, 6)) === 'NUMPY';
  if (!magic || file[0] !== 0x93) throw bad(`${name} is no numpy array`);
  const long = file[6]! >= 2;
  const start = (long ? 12 : 10) + (long ? view.getUint32(8, true) : view.getUint16(8, true));
  const header = new TextDecoder().decode(file.subarray(long ? 12 : 10, start));
  const type = /'descr':\s*'([^']+)'/.exec(header)?.[1] ?? 'unknown';
  const shape = (/'shape':\s*\(([^)]*)\)/.exec(header)?.[1] ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map(Number);
  const read = READERS[type];
  if (!read) throw bad(`${name} has dtype ${type}`);
  const count = shape.reduce((product, axis) => product * axis, 1);
  const width = Number(type.slice(2));
  if (!Number.isSafeInteger(count) || file.length - start !== count * width) {
    throw bad(`${name} has ${file.length - start} bytes for shape (${shape})`);
  }
  // Column-major order does not matter: the matrix is symmetric.
  return {
    shape,
    values: Float64Array.from({ length: count }, (_, i) => read(view, start + i * width)),
  };
}

const READERS: Readonly<Record<string, (view: DataView, at: number) => number>> = {
  '<f4': (view, at) => view.getFloat32(at, true),
  '<f8': (view, at) => view.getFloat64(at, true),
  '<i4': (view, at) => view.getInt32(at, true),
  '<i8': (view, at) => Number(view.getBigInt64(at, true)),
};

function bad(what: string, cause?: unknown): SafeInferError {
  return new SafeInferError(`this is no statistics file of ROME or MEMIT: ${what}`, {
    code: 'BAD_FILE',
    hint: 'give the .npz of one layer, whole; collectMoments measures one where none is published',
    cause,
  });
}
