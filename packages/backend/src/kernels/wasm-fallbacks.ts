// What tfjs-backend-wasm lacks or refuses, computed by tfjs-backend-cpu on copies: wasm memory is host memory.
import * as tf from '@tensorflow/tfjs-core';
import { replaceKernel, wrapKernel } from './replace-kernel.ts';

type KernelArguments = Parameters<tf.KernelFunc>[0];

interface WasmBackend extends tf.KernelBackend {
  readonly dataIdMap: { get(dataId: object): { dtype: tf.DataType } };
}

interface CpuBackend extends tf.KernelBackend {
  firstUse: boolean;
  makeTensorInfo(shape: number[], dtype: tf.DataType, values: object): tf.TensorInfo;
}

/** Arguments that a wasm kernel gets wrong or refuses; strings and complex numbers go to cpu in any kernel. */
const REFUSED: Readonly<Record<string, (args: KernelArguments) => boolean>> = {
  // The wasm kernel copies 3 as 3 where true is 1.
  Cast: ({ attrs }) => ['bool', 'complex64'].includes(String(attrs?.['dtype'])),
  Fill: ({ attrs }) => typeof attrs?.['value'] === 'string',
  BatchMatMul: hasIntegers,
  _FusedMatMul: (args) => hasIntegers(args) || hasWideBias(args),
  Conv2D: isChannelsFirst,
  Conv2DBackpropInput: isChannelsFirst,
  FusedConv2D: (args) => isChannelsFirst(args) || hasWideBias(args),
  FusedDepthwiseConv2D: (args) => isChannelsFirst(args) || hasWideBias(args),
};

/** Kernels that never look at values: they share or read any type as it is. */
const TYPELESS = new Set(['Reshape']);

/** Registers every cpu kernel that wasm lacks, and cpu's where a wasm kernel refuses its arguments. Idempotent. */
export function addCpuFallbacks(): void {
  for (const { kernelName } of tf.getKernelsForBackend('cpu')) {
    if (TYPELESS.has(kernelName)) continue;
    if (tf.getKernel(kernelName, 'wasm') === undefined) {
      replaceKernel(kernelName, 'wasm', () => (args) => onCpu(kernelName, args));
    } else if (!wrapped.has(kernelName)) {
      wrapped.add(kernelName);
      wrapKernel(kernelName, 'wasm', (original) => (args) => {
        const refused = REFUSED[kernelName]?.(args) === true || hasOtherTypes(args);
        return refused ? onCpu(kernelName, args) : original!(args);
      });
    }
  }
}

const wrapped = new Set<string>();

function onCpu(kernelName: string, args: KernelArguments): tf.TensorInfo | tf.TensorInfo[] {
  const wasm = args.backend as WasmBackend;
  readComplexNumbers(wasm);
  const cpu = tf.findBackend('cpu') as CpuBackend;
  cpu.firstUse = false;
  const copies: tf.TensorInfo[] = [];
  const copy = (info: tf.TensorInfo): tf.TensorInfo => {
    const own = toCpu(wasm, cpu, info);
    copies.push(own);
    return own;
  };
  try {
    // Ragged kernels take lists of tensors under one name.
    const entries = Object.entries(args.inputs).map(([name, info]) => [
      name,
      Array.isArray(info) ? info.map(copy) : info && copy(info),
    ]);
    const inputs = Array.isArray(args.inputs)
      ? entries.map(([, info]) => info)
      : Object.fromEntries(entries);
    const { kernelFunc } = tf.getKernel(kernelName, 'cpu');
    const out = kernelFunc({ inputs, attrs: args.attrs as tf.NamedAttrMap, backend: cpu });
    const made = Array.isArray(out) ? out : [out];
    copies.push(...made);
    const results = made.map((info) => toWasm(cpu, wasm, info));
    return Array.isArray(out) ? results : results[0]!;
  } finally {
    for (const { dataId } of copies) cpu.disposeData(dataId);
  }
}

function toCpu(wasm: WasmBackend, cpu: CpuBackend, info: tf.TensorInfo): tf.TensorInfo {
  const { shape, dtype, dataId } = info;
  const values = wasm.readSync(dataId);
  if (dtype !== 'complex64') return cpu.makeTensorInfo(shape, dtype, values);
  const { real, imag } = tf.backend_util.splitRealAndImagArrays(values as Float32Array);
  const parts = {
    real: cpu.makeTensorInfo(shape, 'float32', real),
    imag: cpu.makeTensorInfo(shape, 'float32', imag),
  };
  const complex = tf.getKernel('Complex', 'cpu').kernelFunc({
    inputs: parts,
    attrs: {},
    backend: cpu,
  });
  // The complex tensor holds its own references to both.
  for (const part of Object.values(parts)) cpu.disposeData(part.dataId);
  return complex as tf.TensorInfo;
}

/** Complex numbers lie in the heap as pairs, as `tensor.data()` gives them. */
function toWasm(cpu: CpuBackend, wasm: WasmBackend, info: tf.TensorInfo): tf.TensorInfo {
  const { shape, dtype, dataId } = info;
  let values = cpu.readSync(dataId);
  // Cpu keeps some results in arrays of another type; the heap takes bytes.
  if (dtype === 'int32' && !(values instanceof Int32Array)) {
    values = Int32Array.from(values as Float32Array);
  } else if (dtype === 'bool' && !(values instanceof Uint8Array)) {
    values = Uint8Array.from(values as Float32Array);
  } else if (dtype === 'float32' && !(values instanceof Float32Array)) {
    values = Float32Array.from(values as Int32Array);
  }
  return { dataId: wasm.write(values, shape, dtype), shape, dtype };
}

const readers = new WeakSet<object>();

/** The stock backend cannot read complex64 back: read its bytes as float32. */
function readComplexNumbers(wasm: WasmBackend): void {
  if (readers.has(wasm)) return;
  readers.add(wasm);
  const read = wasm.readSync.bind(wasm);
  wasm.readSync = (dataId) => {
    const data = wasm.dataIdMap.get(dataId) as { dtype: tf.DataType; shape: number[] };
    if (data.dtype !== 'complex64') return read(dataId);
    Object.assign(data, { dtype: 'float32', shape: [...data.shape, 2] });
    try {
      return read(dataId);
    } finally {
      Object.assign(data, { dtype: 'complex64', shape: data.shape.slice(0, -1) });
    }
  };
}

function hasOtherTypes({ inputs }: KernelArguments): boolean {
  for (const name in inputs) {
    const dtype = inputs[name]?.dtype;
    if (dtype === 'string' || dtype === 'complex64') return true;
  }
  return false;
}

function hasIntegers({ inputs }: KernelArguments): boolean {
  return inputs['a']?.dtype !== 'float32' || inputs['b']?.dtype !== 'float32';
}

function hasWideBias({ inputs }: KernelArguments): boolean {
  const bias = inputs['bias'];
  return bias != null && bias.shape.length !== 1;
}

function isChannelsFirst({ attrs }: KernelArguments): boolean {
  const format = (attrs as { dataFormat?: string } | undefined)?.dataFormat;
  return format === 'NCHW' || format === 'channelsFirst';
}
