// tf.fused.matMul: a product, then bias and activation through this backend's own kernels.
import * as tf from '@tensorflow/tfjs-core';
import type { Kernel, KernelCall } from './kernel.ts';
import { matMul } from './matmul.ts';

/** Kernel that applies each activation, and the name of its second input if it has one. */
const ACTIVATION_KERNEL: Readonly<Record<string, string>> = {
  relu: 'Relu',
  relu6: 'Relu6',
  elu: 'Elu',
  sigmoid: 'Sigmoid',
  leakyrelu: 'LeakyRelu',
  prelu: 'Prelu',
};

export const fusedMatMul: Kernel = ({ inputs, attrs, backend }) => {
  const activation = (attrs['activation'] as string | undefined) ?? 'linear';
  const kernel = ACTIVATION_KERNEL[activation];
  if (activation !== 'linear' && kernel === undefined) return undefined;
  let current = matMul(backend, {
    a: inputs['a']!,
    b: inputs['b']!,
    transposeA: attrs['transposeA'] === true,
    transposeB: attrs['transposeB'] === true,
  });
  if (current === undefined) return undefined;
  const { bias, preluActivationWeights } = inputs;
  if (bias !== undefined && bias !== null) {
    const product = current;
    current = run(backend, 'Add', { a: product, b: bias });
    backend.disposeIntermediateTensorInfo(product);
  }
  if (kernel !== undefined) {
    const before: tf.TensorInfo = current;
    current = run(
      backend,
      kernel,
      { x: before, ...(kernel === 'Prelu' ? { alpha: preluActivationWeights! } : {}) },
      { alpha: attrs['leakyreluAlpha'] as number },
    );
    backend.disposeIntermediateTensorInfo(before);
  }
  return current;
};

function run(
  backend: KernelCall['backend'],
  name: string,
  inputs: tf.NamedTensorInfoMap,
  attrs: tf.NamedAttrMap = {},
): tf.TensorInfo {
  return tf.getKernel(name, 'ort').kernelFunc({ inputs, attrs, backend }) as tf.TensorInfo;
}
