// What tfjs-backend-webgpu can read at once: in Node only what has not gone to the GPU, or has come back from it.
import type * as tf from '@tensorflow/tfjs-core';
import { SafeInferError } from '../safe-infer-error.ts';

interface WebgpuData {
  readonly dtype: tf.DataType;
  readonly shape: number[];
  readonly values?: tf.backend_util.BackendValues | null;
  readonly complexTensorInfos?: { readonly real: tf.TensorInfo; readonly imag: tf.TensorInfo };
}

export interface WebgpuBackend extends tf.KernelBackend {
  readonly tensorMap: { get(dataId: object): WebgpuData };
}

/** True when `readSync` gives the values without asking the GPU. */
export function onHost(backend: unknown, dataId: object): boolean {
  const {
    values,
    dtype,
    complexTensorInfos: parts,
  } = (backend as WebgpuBackend).tensorMap.get(dataId);
  if (values != null || dtype === 'string') return true;
  return (
    parts !== undefined && onHost(backend, parts.real.dataId) && onHost(backend, parts.imag.dataId)
  );
}

const refusing = new WeakSet<object>();

/** Synchronous reads draw on a canvas, which Node lacks: name the remedy instead of the missing class. Idempotent. */
export function refuseSynchronousReads(kernelBackend: tf.KernelBackend): void {
  if (refusing.has(kernelBackend)) return;
  refusing.add(kernelBackend);
  const backend = kernelBackend as WebgpuBackend;
  const read = backend.readSync.bind(backend);
  backend.readSync = (dataId) => {
    if (onHost(backend, dataId) || 'OffscreenCanvas' in globalThis) return read(dataId);
    const { shape } = backend.tensorMap.get(dataId);
    throw new SafeInferError(
      `a tensor of shape [${shape}] is on the GPU, which Node cannot read synchronously`,
      { code: 'UNSUPPORTED', hint: 'await data() or array() instead of dataSync() or arraySync()' },
    );
  };
}
