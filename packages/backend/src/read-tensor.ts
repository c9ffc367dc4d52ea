// Values of a tensor as the caller's own array, checked on request.
import type * as tf from '@tensorflow/tfjs-core';
import { SafeInferError } from './safe-infer-error.ts';

/**
 * The values of `x`, row-major, in an array that nothing else refers to (backends in JavaScript hand
 * out their own storage, which a write would corrupt).
 *
 * @param options.finite a name for the values; when given, NaN or an infinity throws NON_FINITE
 */
export async function readTensor(
  x: tf.Tensor,
  options: { readonly finite?: string } = {},
): Promise<Float32Array> {
  const values = Float32Array.from((await x.data()) as Float32Array | Int32Array | Uint8Array);
  if (options.finite !== undefined) assertFinite(values, options.finite);
  return values;
}

/** @throws SafeInferError NON_FINITE naming the first value that is NaN or infinite. */
export function assertFinite(values: ArrayLike<number>, name: string): void {
  for (let index = 0; index < values.length; index++) {
    if (Number.isFinite(values[index])) continue;
    throw new SafeInferError(`${name}: value ${index} is ${values[index]}`, {
      code: 'NON_FINITE',
      hint: 'look for an overflow or a division by zero in what produced it, and for damaged weights',
    });
  }
}
