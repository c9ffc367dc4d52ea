// What tfjs-backend-wasm lacks or refuses, computed by tfjs-backend-cpu on copies: wasm memory is host memory.
import * as tf from '@tensorflow/tfjs-core';
import { onCpu } from './on-cpu.ts';
import { replaceKernel, wrapKernel } from './replace-kernel.ts';

type KernelArguments = Parameters<tf.KernelFunc>[0];

interface WasmBackend extends tf.KernelBackend {
  readonly dataIdMap: { get(dataId: object): { dtype: tf.DataType } };
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
      replaceKernel(kernelName, 'wasm', () => (args) => onHeap(kernelName, args));
    } else if (!wrapped.has(kernelName)) {
      wrapped.add(kernelName);
      wrapKernel(kernelName, 'wasm', (original) => (args) => {
        const refused = REFUSED[kernelName]?.(args) === true || hasOtherTypes(args);
        return refused ? onHeap(kernelName, args) : original!(args);
      });
    }
  }
}

const wrapped = new Set<string>();

function onHeap(kernelName: string, args: KernelArguments): tf.TensorInfo | tf.TensorInfo[] {
  readComplexNumbers(args.backend as WasmBackend);
  return onCpu(kernelName, args);
}

const readers = new WeakSet<object>();

/** The stock backend cannot read complex64 back: read its bytes as float32, which lie in the heap as pairs. */
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
