// What a kernel of this backend is: a function of tensors that may decline, leaving the call to tfjs-cpu.
import type { KernelFunc, NamedAttrMap, TensorInfo } from '@tensorflow/tfjs-core';
import type { OrtBackend } from '../ort-backend.ts';

export interface KernelCall {
  readonly inputs: Readonly<Record<string, TensorInfo>>;
  readonly attrs: NamedAttrMap;
  readonly backend: OrtBackend;
}

/** Returns undefined for a call it has no faster way for (another dtype, an empty tensor). */
export type Kernel = (call: KernelCall) => TensorInfo | TensorInfo[] | undefined;

/** A tfjs kernel function that tries ours first. */
export function withFallback(kernel: Kernel, inherited: KernelFunc | undefined): KernelFunc {
  return (args) => {
    const call = {
      inputs: args.inputs as Record<string, TensorInfo>,
      attrs: args.attrs ?? {},
      backend: args.backend as OrtBackend,
    };
    const result = kernel(call);
    if (result !== undefined) return result;
    if (inherited === undefined) throw new Error('this kernel has no form for these inputs');
    return inherited(args);
  };
}

export function sizeOf(shape: readonly number[]): number {
  let size = 1;
  for (const length of shape) size *= length;
  return size;
}
