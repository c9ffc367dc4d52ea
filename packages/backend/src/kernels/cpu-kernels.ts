// Repairs of tfjs-backend-cpu: one kernel that overwrites its input, one that is quadratic.
import * as tf from '@tensorflow/tfjs-core';
import { replaceKernel } from './replace-kernel.ts';
import { segmentSum } from './segment-sum.ts';

/** The part of MathBackendCPU that these kernels use; backend-ort's backend has it too. */
interface ArrayBackend {
  readonly data: { get(dataId: object): { readonly values: Float32Array | Int32Array } };
  makeTensorInfo(shape: number[], dtype: tf.DataType, values?: tf.TypedArray): tf.TensorInfo;
}

/** Repairs the kernels of `backendName`, a backend that keeps tensors in typed arrays. Idempotent. */
export function repairCpuKernels(backendName = 'cpu'): void {
  replaceKernel('TensorScatterUpdate', backendName, (original) => (args) => {
    // The stock kernel writes the updates into its first input's own buffer: give it a copy.
    const backend = args.backend as unknown as ArrayBackend;
    const { tensor, indices, updates } = args.inputs as Record<string, tf.TensorInfo>;
    const values = backend.data.get(tensor!.dataId).values.slice();
    const copy = backend.makeTensorInfo(tensor!.shape, tensor!.dtype, values);
    try {
      return original!({ ...args, inputs: { tensor: copy, indices: indices!, updates: updates! } });
    } finally {
      (args.backend as tf.KernelBackend).disposeData(copy.dataId);
    }
  });
  // The stock kernel scans the whole input once per segment: 32,000 scans for an embedding gradient.
  replaceKernel('UnsortedSegmentSum', backendName, () => (args) => {
    const backend = args.backend as unknown as ArrayBackend;
    const { x, segmentIds } = args.inputs as Record<string, tf.TensorInfo>;
    const numSegments = args.attrs?.['numSegments'] as unknown as number;
    const shape = [numSegments, ...x!.shape.slice(segmentIds!.shape.length)];
    const size = tf.util.sizeFromShape(shape);
    const out = x!.dtype === 'int32' ? new Int32Array(size) : new Float32Array(size);
    segmentSum(
      backend.data.get(x!.dataId).values,
      backend.data.get(segmentIds!.dataId).values,
      numSegments,
      out,
    );
    return backend.makeTensorInfo(shape, x!.dtype === 'int32' ? 'int32' : 'float32', out);
  });
}
