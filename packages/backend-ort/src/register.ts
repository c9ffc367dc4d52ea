// Registration of the backend: inherited kernels first, then ours over them.
import { availableParallelism } from 'node:os';
import {
  repairCpuKernels,
  SafeInferError,
  type Started,
  type StartOptions,
  type WeightPrecision,
} from '@safeinfer/backend';
import * as tf from '@tensorflow/tfjs-core';
import { fusedKernels } from './fused/fused-kernels.ts';
import {
  concat,
  gather,
  pack,
  pad,
  slice,
  splitV,
  tile,
  transpose,
  unpack,
} from './kernels/copy.ts';
import { elementwiseKernels } from './kernels/elementwise.ts';
import { fusedMatMul } from './kernels/fused-matmul.ts';
import { type Kernel, withFallback } from './kernels/kernel.ts';
import { batchMatMul } from './kernels/matmul.ts';
import { max, mean, min, sum } from './kernels/reduce.ts';
import { select } from './kernels/select.ts';
import { logSoftmax, softmax } from './kernels/softmax.ts';
import { trainingKernels } from './kernels/training/training-kernels.ts';
import { loadBinding, ortVersion } from './native/binding.ts';
import { OrtBackend } from './ort-backend.ts';

/** The name of the backend in tfjs. */
export const ORT_BACKEND = 'ort';

/** Above tfjs-cpu (1) and wasm (2), below tfjs-node (3): only named or chosen by useBackend. */
const PRIORITY = 2;

/** Our kernels by tfjs name. */
function ownKernels(): Record<string, Kernel> {
  return {
    ...elementwiseKernels(),
    ...fusedKernels(),
    ...trainingKernels(),
    BatchMatMul: batchMatMul,
    _FusedMatMul: fusedMatMul,
    Transpose: transpose,
    Slice: slice,
    SplitV: splitV,
    Unpack: unpack,
    Concat: concat,
    Pack: pack,
    GatherV2: gather,
    Tile: tile,
    PadV2: pad,
    Select: select,
    Sum: sum,
    Mean: mean,
    Max: max,
    Min: min,
    Softmax: softmax,
    LogSoftmax: logSoftmax,
  };
}

/**
 * Loads ONNX Runtime and registers the backend `ort` with tfjs; does not make it the active one. A second
 * call with another thread count or precision replaces the backend, which ends its tensors.
 */
export async function registerOrtBackend(options: StartOptions = {}): Promise<Started> {
  const threads = options.threads ?? availableParallelism();
  const weights = precisionOf(options.weights);
  loadBinding();
  // Its kernels are the ones we inherit.
  await import('@tensorflow/tfjs-backend-cpu');
  const existing = tf.findBackend(ORT_BACKEND) as OrtBackend | null;
  const other =
    existing !== null &&
    ((options.threads !== undefined && existing.threads !== threads) ||
      existing.weights !== weights);
  if (other) tf.removeBackend(ORT_BACKEND);
  if (tf.findBackend(ORT_BACKEND) === null) {
    registerKernels();
    tf.registerBackend(ORT_BACKEND, () => new OrtBackend(threads, weights), PRIORITY);
  }
  const active = tf.findBackend(ORT_BACKEND) as OrtBackend;
  return { versions: { 'onnxruntime-node': ortVersion() }, threads: active.threads };
}

function precisionOf(weights: WeightPrecision = 'float32'): 'float32' | 'int8' {
  if (weights !== 'bf16') return weights;
  throw new SafeInferError("backend ort has no kernels for weights in 'bf16'", {
    code: 'UNSUPPORTED',
    hint: "use weights 'int8' here, or backend tfjs-node for 'bf16'",
  });
}

let registered = false;

function registerKernels(): void {
  if (registered) return;
  registered = true;
  const own = ownKernels();
  const inherited = new Map(
    tf.getKernelsForBackend('cpu').map((kernel) => [kernel.kernelName, kernel]),
  );
  for (const [kernelName, config] of inherited) {
    const kernel = own[kernelName];
    tf.registerKernel({
      ...config,
      backendName: ORT_BACKEND,
      kernelFunc:
        kernel === undefined ? config.kernelFunc : withFallback(kernel, config.kernelFunc),
    });
  }
  for (const [kernelName, kernel] of Object.entries(own)) {
    if (inherited.has(kernelName)) continue;
    tf.registerKernel({
      kernelName,
      backendName: ORT_BACKEND,
      kernelFunc: withFallback(kernel, undefined),
    });
  }
  repairCpuKernels(ORT_BACKEND);
}
