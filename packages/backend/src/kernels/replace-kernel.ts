// Registration of a kernel over one that exists, without tfjs's warning.
import * as tf from '@tensorflow/tfjs-core';

const replaced = new Set<string>();

/** `wrapKernel` at most once for each kernel of a backend: a repair that is asked for again does nothing. */
export function replaceKernel(
  kernelName: string,
  backendName: string,
  make: (original: tf.KernelFunc | undefined) => tf.KernelFunc,
): void {
  const key = `${backendName}/${kernelName}`;
  if (replaced.has(key)) return;
  replaced.add(key);
  wrapKernel(kernelName, backendName, make);
}

/**
 * Registers `make(original)` as the kernel of `backendName`. `original` is undefined where the backend had no
 * such kernel.
 */
export function wrapKernel(
  kernelName: string,
  backendName: string,
  make: (original: tf.KernelFunc | undefined) => tf.KernelFunc,
): void {
  const original = tf.getKernel(kernelName, backendName) as tf.KernelConfig | undefined;
  if (original !== undefined) tf.unregisterKernel(kernelName, backendName);
  tf.registerKernel({
    ...original,
    kernelName,
    backendName,
    kernelFunc: make(original?.kernelFunc),
  });
}
