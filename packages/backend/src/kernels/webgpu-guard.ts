// Refuses tensors beyond the adapter's limits: tfjs-backend-webgpu computes zeros from them without a word.
import * as tf from '@tensorflow/tfjs-core';
import { SafeInferError } from '../safe-infer-error.ts';
import { readLargeMatrices } from './large-matrix-kernels.ts';
import { wrapKernel } from './replace-kernel.ts';
import { limitTensors, tensorLimit } from './tensor-limit.ts';

export interface BufferLimits {
  /** Bytes that one shader binding can cover. */
  readonly maxStorageBufferBindingSize: number;
  readonly maxBufferSize: number;
}

/** Kernels that hand the data on without touching it: a large tensor may still have two names or shapes. */
const UNTOUCHED = new Set(['Identity', 'Reshape']);

const installed = new Set<string>();
const guarded = new WeakSet<object>();

/**
 * Checks every kernel's inputs and outputs on `backendName` against the adapter's limits; the kernels that
 * embeddings need read larger matrices in parts. Idempotent but for the limits. `prepare`, also idempotent, runs
 * before each kernel on its backend: tfjs makes a new one after `tf.engine().reset()`.
 */
export function guardAllocations(
  backendName: string,
  limits: BufferLimits,
  prepare: (backend: tf.KernelBackend) => void = () => {},
): void {
  limitTensors(backendName, Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize));
  if (installed.has(backendName)) return;
  installed.add(backendName);
  for (const { kernelName } of tf.getKernelsForBackend(backendName)) {
    if (UNTOUCHED.has(kernelName)) continue;
    wrapKernel(kernelName, backendName, (original) => (args) => {
      const limit = tensorLimit(backendName);
      const backend = args.backend as tf.KernelBackend;
      guardResults(backend, backendName);
      prepare(backend);
      // Ragged kernels take lists of tensors under one name.
      for (const input of Object.values(args.inputs).flat()) {
        if (input != null) checkSize(input, limit);
      }
      const out = original!(args);
      const made = Array.isArray(out) ? out : [out];
      try {
        for (const info of made) checkSize(info, limit);
      } catch (error) {
        for (const info of made) backend.disposeData(info.dataId);
        throw error;
      }
      return out;
    });
  }
  readLargeMatrices(backendName);
}

/** Refuses results beyond the limit before the backend makes a buffer for them. Idempotent. */
export function guardResults(backend: tf.KernelBackend, backendName: string): void {
  if (guarded.has(backend)) return;
  guarded.add(backend);
  const maker = backend as unknown as {
    makeTensorInfo(shape: number[], dtype: tf.DataType, values?: object | null): tf.TensorInfo;
  };
  const make = maker.makeTensorInfo.bind(maker);
  maker.makeTensorInfo = (shape, dtype, values) => {
    // With values it stays on the host until a kernel reads it, which is checked then.
    if (values == null) checkSize({ dataId: {}, shape, dtype }, tensorLimit(backendName));
    return make(shape, dtype, values);
  };
}

/** @throws SafeInferError ALLOCATION_LIMIT when the tensor's bytes exceed `bytes` */
export function checkSize(info: tf.TensorInfo, bytes: number | undefined): void {
  if (bytes === undefined || info.dtype === 'string') return;
  const size = tf.util.sizeFromShape(info.shape) * tf.util.bytesPerElement(info.dtype);
  if (size <= bytes) return;
  throw new SafeInferError(
    `a tensor of shape [${info.shape}] takes ${size} bytes, this GPU binds at most ${bytes}`,
    {
      code: 'ALLOCATION_LIMIT',
      hint:
        'ask for the logits of fewer tokens or rows at a time, train adapters instead of the embedding, ' +
        'or use a native CPU backend',
    },
  );
}
