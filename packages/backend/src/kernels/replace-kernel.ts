// Registration of a kernel over one that exists, without tfjs's warning, and at most once.
import * as tf from '@tensorflow/tfjs-core';

const replaced = new Set<string>();

/**
 * Registers `make(original)` as the kernel of `backendName`; does nothing when that was done before.
 * `original` is undefined where the backend had no such kernel.
 */
export function replaceKernel(
  kernelName: string,
  backendName: string,
  make: (original: tf.KernelFunc | undefined) => tf.KernelFunc,
): void {
  const key = `${backendName}/${kernelName}`;
  if (replaced.has(key)) return;
  replaced.add(key);
  const original = tf.getKernel(kernelName, backendName) as tf.KernelConfig | undefined;
  if (original !== undefined) tf.unregisterKernel(kernelName, backendName);
  tf.registerKernel({
    ...original,
    kernelName,
    backendName,
    kernelFunc: make(original?.kernelFunc),
  });
}
