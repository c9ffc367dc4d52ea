// The private kernels of fused-kernels.ts for tfjs-node on a CPU, and reshaping of what is still an array.
import type * as tf from '@tensorflow/tfjs-core';
import type { FusedKernelName } from '../fused-kernels.ts';
import { replaceKernel } from './replace-kernel.ts';
import { nodeActivation } from './tfjs-node-activation.ts';
import { nodeAttention } from './tfjs-node-attention.ts';
import type { NodeBackend, NodeKernelCall } from './tfjs-node-binding.ts';
import { nodeAddProduct, nodeHeads, nodeMlp } from './tfjs-node-halves.ts';
import { nodeAddLowRank } from './tfjs-node-low-rank.ts';
import { nodeNorm } from './tfjs-node-norm.ts';
import { nodeRope } from './tfjs-node-rope.ts';

const KERNELS: Readonly<
  Partial<Record<FusedKernelName, (call: NodeKernelCall) => tf.Tensor | tf.Tensor[]>>
> = {
  SafeInferNorm: nodeNorm,
  SafeInferRope: nodeRope,
  SafeInferActivation: nodeActivation,
  SafeInferGate: nodeActivation,
  SafeInferAttention: nodeAttention,
  SafeInferAddLowRank: nodeAddLowRank,
  SafeInferAddProduct: nodeAddProduct,
  SafeInferMlp: nodeMlp,
  SafeInferHeads: nodeHeads,
};

/** Registers them; harmless when called again. */
export function addNodeFusedKernels(): void {
  for (const [name, kernel] of Object.entries(KERNELS)) {
    replaceKernel(name, 'tensorflow', () => (args) => kernel(args as unknown as NodeKernelCall));
  }
  replaceKernel('Reshape', 'tensorflow', (original) => (args) => {
    const backend = args.backend as unknown as NodeBackend;
    const x = args.inputs['x'] as tf.TensorInfo;
    const { values } = backend.tensorMap.get(x.dataId);
    const { shape } = args.attrs as unknown as { shape: number[] };
    if (values === null || x.dtype !== 'float32' || shape.includes(-1)) return original!(args);
    const dataId = backend.write(values, shape, 'float32');
    return { dataId, shape, dtype: x.dtype };
  });
}
