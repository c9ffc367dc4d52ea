// A small limit on any backend, to test what happens beyond the limits of a GPU.
import { type BackendName, TF_BACKEND } from '../backend-name.ts';
import { readLargeMatrices } from '../kernels/large-matrix-kernels.ts';
import { limitTensors } from '../kernels/tensor-limit.ts';

/**
 * Makes a started backend read matrices of more than `bytes` in parts, as WebGPU does beyond its own limit;
 * undefined lifts the limit. It keeps to the process: call it in test files only.
 */
export function limitLargestTensor(name: BackendName, bytes: number | undefined): void {
  limitTensors(TF_BACKEND[name], bytes);
  readLargeMatrices(TF_BACKEND[name]);
}
