// Refuses tensors beyond the adapter's limits: tfjs-backend-webgpu computes zeros from them without a word.
import * as tf from '@tensorflow/tfjs-core';
import { SafeInferError } from '../safe-infer-error.ts';

export interface BufferLimits {
  /** Bytes that one shader binding can cover. */
  readonly maxStorageBufferBindingSize: number;
  readonly maxBufferSize: number;
}

let limit: number | undefined;
let installed = false;

/** Checks every kernel's inputs and outputs on backend `webgpu` against the adapter's limits. */
export function guardAllocations(limits: BufferLimits): void {
  limit = Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize);
  if (installed) return;
  installed = true;
  for (const config of tf.getKernelsForBackend('webgpu')) {
    const { kernelFunc } = config;
    tf.unregisterKernel(config.kernelName, 'webgpu');
    tf.registerKernel({
      ...config,
      kernelFunc: (args) => {
        for (const input of Object.values(args.inputs)) if (input != null) checkSize(input);
        const out = kernelFunc(args);
        const made = Array.isArray(out) ? out : [out];
        try {
          for (const info of made) checkSize(info);
        } catch (error) {
          for (const info of made) (args.backend as tf.KernelBackend).disposeData(info.dataId);
          throw error;
        }
        return out;
      },
    });
  }
}

/**
 * @throws SafeInferError ALLOCATION_LIMIT when the tensor's bytes exceed `bytes`, by default the limit of
 *   the adapter in use
 */
export function checkSize(info: tf.TensorInfo, bytes: number | undefined = limit): void {
  if (bytes === undefined || info.dtype === 'string') return;
  const size = tf.util.sizeFromShape(info.shape) * tf.util.bytesPerElement(info.dtype);
  if (size <= bytes) return;
  throw new SafeInferError(
    `a tensor of shape [${info.shape}] takes ${size} bytes, this GPU binds at most ${bytes}`,
    {
      code: 'ALLOCATION_LIMIT',
      hint: 'split it by rows (embeddings, logits), or use a native CPU backend',
    },
  );
}
