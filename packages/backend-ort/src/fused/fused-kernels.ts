// The private kernels of @safeinfer/backend that this backend has.
import type { FusedKernelName } from '@safeinfer/backend';
import type { Kernel } from '../kernels/kernel.ts';
import { activation, gate } from './activation.ts';
import { attention } from './attention.ts';
import { wholeBlock } from './block/whole-block.ts';
import { addProduct, heads, mlp } from './halves.ts';
import { addLowRank } from './low-rank.ts';
import { norm } from './norm.ts';
import { rope } from './rope.ts';

export function fusedKernels(): Record<FusedKernelName, Kernel> {
  return {
    SafeInferNorm: norm,
    SafeInferRope: rope,
    SafeInferActivation: activation,
    SafeInferGate: gate,
    SafeInferAttention: attention,
    SafeInferAddLowRank: addLowRank,
    SafeInferAddProduct: addProduct,
    SafeInferMlp: mlp,
    SafeInferHeads: heads,
    SafeInferBlock: wholeBlock,
  };
}
