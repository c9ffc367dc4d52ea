// What tfjs-backend-webgpu lacks, gets wrong or leaves unchecked.
import * as tf from '@tensorflow/tfjs-core';
import { SafeInferError } from '../safe-infer-error.ts';
import { onCpu } from './on-cpu.ts';
import { replaceKernel } from './replace-kernel.ts';
import { type BufferLimits, guardAllocations, guardResults } from './webgpu-guard.ts';
import { onHost, refuseSynchronousReads, type WebgpuBackend } from './webgpu-host-values.ts';
import { repairReads } from './webgpu-reads.ts';

type KernelArguments = Parameters<tf.KernelFunc>[0];

/** Kernels whose GPU versions read outside their inputs where cpu's refuse bad indices. */
const UNCHECKED = ['SparseSegmentMean', 'SparseSegmentSum'];

/**
 * Repairs the kernels of backend `webgpu`, adds those that it lacks and checks all against the adapter's limits.
 * tfjs-backend-webgpu and tfjs-backend-cpu must be loaded. Idempotent.
 */
export function registerWebgpuKernels(limits: BufferLimits): void {
  addHostKernels();
  repairCumulative('Cumsum');
  repairCumulative('Cumprod');
  // The shader for more than two axes does not compile, which tfjs answers with zeros: bins have no axes.
  replaceKernel('Bincount', 'webgpu', (original) => (args) => {
    const x = args.inputs['x'] as tf.TensorInfo;
    const flat = { ...x, shape: [tf.util.sizeFromShape(x.shape)] };
    return original!({ ...args, inputs: { ...args.inputs, x: flat } as tf.NamedTensorInfoMap });
  });
  guardAllocations('webgpu', limits, guardReads);
  // Outermost: reading a large table in parts clamps indices.
  replaceKernel('GatherV2', 'webgpu', (original) => (args) => {
    checkIndices(args);
    return original!(args);
  });
}

/** What `registerWebgpuKernels` does to a backend, before its first kernel runs. Idempotent. */
export function guardWebgpu(backend: tf.KernelBackend): void {
  guardResults(backend, 'webgpu');
  guardReads(backend);
}

function guardReads(backend: tf.KernelBackend): void {
  refuseSynchronousReads(backend);
  repairReads(backend);
}

/** Kernels that only cpu has run on values that are on the host: strings always are, others until a kernel reads them. */
function addHostKernels(): void {
  for (const { kernelName } of tf.getKernelsForBackend('cpu')) {
    if (tf.getKernel(kernelName, 'webgpu') !== undefined) continue;
    replaceKernel(kernelName, 'webgpu', () => (args) => {
      refuseFromGpu(kernelName, args);
      return onCpu(kernelName, args);
    });
  }
  for (const kernelName of UNCHECKED) {
    replaceKernel(kernelName, 'webgpu', (original) => (args) => {
      const host = inputsOf(args).every(({ dataId }) => onHost(args.backend, dataId));
      return host ? onCpu(kernelName, args) : original!(args);
    });
  }
}

function refuseFromGpu(kernelName: string, args: KernelArguments): void {
  for (const { dataId, shape } of inputsOf(args)) {
    if (onHost(args.backend, dataId)) continue;
    throw new SafeInferError(
      `${kernelName} has no WebGPU version and its input of shape [${shape}] is on the GPU`,
      {
        code: 'UNSUPPORTED',
        hint: 'await data() of that input first, which keeps its values on the host, or use another backend',
      },
    );
  }
}

/** Ragged kernels take lists of tensors under one name. */
function inputsOf({ inputs }: KernelArguments): tf.TensorInfo[] {
  return Object.values(inputs as Record<string, tf.TensorInfo | tf.TensorInfo[] | undefined>)
    .flat()
    .filter((info) => info != null);
}

/**
 * The stock shader holds the length of the axis when it runs backwards, and is kept under a name that does not:
 * a second length of the same rank computes with the first one's (tfjs 4.22). Forwards it holds none.
 */
function repairCumulative(kernelName: 'Cumsum' | 'Cumprod'): void {
  replaceKernel(kernelName, 'webgpu', (original) => (args) => {
    const { axis, exclusive, reverse } = args.attrs as unknown as CumulativeAttrs;
    if (!reverse) return original!(args);
    const backend = args.backend as tf.KernelBackend;
    const turn = (x: tf.TensorInfo): tf.TensorInfo =>
      tf.getKernel('Reverse', 'webgpu').kernelFunc({
        inputs: { x },
        attrs: { dims: [axis] },
        backend,
      }) as tf.TensorInfo;
    const backwards = turn(args.inputs['x'] as tf.TensorInfo);
    const attrs = { axis, exclusive, reverse: false };
    const sums = original!({ inputs: { x: backwards }, attrs, backend }) as tf.TensorInfo;
    backend.disposeData(backwards.dataId);
    const result = turn(sums);
    backend.disposeData(sums.dataId);
    return result;
  });
}

interface CumulativeAttrs {
  readonly axis: number;
  readonly exclusive: boolean;
  readonly reverse: boolean;
}

/**
 * The shader gives zeros for an index outside the table, where every other backend throws. Indices computed on the
 * GPU cannot be checked without waiting for it; those that a caller wrote down are on the host at their first use.
 */
function checkIndices(args: KernelArguments): void {
  const { x, indices } = args.inputs as { x: tf.TensorInfo; indices: tf.TensorInfo };
  const backend = args.backend as WebgpuBackend;
  const values = backend.tensorMap.get(indices.dataId).values as Int32Array | null | undefined;
  if (values == null) return;
  const axis = tf.util.parseAxisParam(args.attrs?.['axis'] as unknown as number, x.shape)[0]!;
  const size = x.shape[axis]!;
  for (const index of values) {
    if (index >= 0 && index < size) continue;
    throw new SafeInferError(`GatherV2: the index value ${index} is not in [0, ${size - 1}]`, {
      code: 'BAD_ARGUMENT',
      hint: 'look at the token ids, positions or rows that were asked for',
    });
  }
}
