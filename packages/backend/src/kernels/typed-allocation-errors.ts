// Arrays that JavaScript cannot make: a typed error with the limit instead of a bare RangeError.
import * as tf from '@tensorflow/tfjs-core';
import { SafeInferError } from '../safe-infer-error.ts';
import { wrapKernel } from './replace-kernel.ts';

/** Elements that one typed array of V8 can have on 64-bit machines. */
const MOST_ELEMENTS = 2 ** 32 - 1;

const wrapped = new Set<string>();

/** Names the limit where a kernel of `backendName`, one of `kernelNames` or any, asks for too large an array. */
export function typeAllocationErrors(backendName: string, kernelNames?: readonly string[]): void {
  const names =
    kernelNames ?? tf.getKernelsForBackend(backendName).map(({ kernelName }) => kernelName);
  for (const name of names) {
    const key = `${backendName}/${name}`;
    if (wrapped.has(key) || tf.getKernel(name, backendName) === undefined) continue;
    wrapped.add(key);
    wrapKernel(name, backendName, (original) => (args) => {
      try {
        return original!(args);
      } catch (error) {
        throw isAllocation(error) ? limitError(name, error) : error;
      }
    });
  }
}

function isAllocation(error: unknown): error is RangeError {
  return (
    error instanceof RangeError &&
    /Invalid typed array length|Array buffer allocation failed/.test(error.message)
  );
}

function limitError(kernelName: string, cause: RangeError): SafeInferError {
  return new SafeInferError(
    `${kernelName} needs an array that cannot be made (${cause.message}); ` +
      `one holds at most ${MOST_ELEMENTS} values, and no more than memory has`,
    { code: 'ALLOCATION_LIMIT', hint: 'work on fewer rows or tokens at a time', cause },
  );
}
