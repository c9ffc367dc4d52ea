// WebAssembly with SIMD: one thread, up to 4 GB, wherever JavaScript runs.
import * as tf from '@tensorflow/tfjs-core';
import { guardHeap } from '../kernels/wasm-heap.ts';
import { registerWasmKernels } from '../kernels/wasm-kernels.ts';
import { BackendRefusal, type Candidate, type Started } from './candidate.ts';

export const wasm: Candidate = {
  async start(): Promise<Started> {
    if (!('WebAssembly' in globalThis)) {
      throw new BackendRefusal('this runtime has no WebAssembly', 'use the cpu backend');
    }
    const { version_wasm } = await import('@tensorflow/tfjs-backend-wasm');
    // Its kernels compute what wasm has none for.
    await import('@tensorflow/tfjs-backend-cpu');
    registerWasmKernels();
    if (await tf.setBackend('wasm')) guardHeap(tf.backend());
    return { versions: { '@tensorflow/tfjs-backend-wasm': version_wasm }, threads: 1 };
  },
};
