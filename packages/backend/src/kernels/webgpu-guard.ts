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

let installed = false;
const guarded = new WeakSet<object>();

/**
 * Checks every kernel's inputs and outputs on backend `webgpu` against the adapter's limits; the kernels that
 * embeddings need read larger matrices in parts.
 */
export function guardAllocations(limits: BufferLimits): void {
  limitTensors('webgpu', Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize));
  if (installed) return;
  installed = true;
  for (const { kernelName } of tf.getKernelsForBackend('webgpu')) {
    if (UNTOUCHED.has(kernelName)) continue;
    wrapKernel(kernelName, 'webgpu', (original) => (args) => {
      for (const input of Object.values(args.inputs)) if (input != null) checkSize(input);
      const out = original!(args);
      const made = Array.isArray(out) ? out : [out];
      try {
        for (const info of made) checkSize(info);
      } catch (error) {
        for (const info of made) (args.backend as tf.KernelBackend).disposeData(info.dataId);
        throw error;
      }
      return out;
    });
  }
  readLargeMatrices('webgpu');
}

/** Refuses results beyond the limit before the backend makes a buffer for them. Idempotent. */
export function guardResults(backend: tf.KernelBackend): void {
  if (guarded.has(backend)) return;
  guarded.add(backend);
  const maker = backend as unknown as {
    makeTensorInfo(shape: number[], dtype: tf.DataType, values?: object | null): tf.TensorInfo;
  };
  const make = maker.makeTensorInfo.bind(maker);
  maker.makeTensorInfo = (shape, dtype, values) => {
    // With values it stays on the host until a kernel reads it, which is checked then.
    if (values == null) checkSize({ dataId: {}, shape, dtype });
    return make(shape, dtype, values);
  };
}

/**
 * @throws SafeInferError ALLOCATION_LIMIT when the tensor's bytes exceed `bytes`, by default the limit of
 *   the adapter in use
 */
export function checkSize(
  info: tf.TensorInfo,
  bytes: number | undefined = tensorLimit('webgpu'),
): void {
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
