// The 4 GB of WebAssembly: an allocation that fails throws, where the stock backend writes to address 0.
import type * as tf from '@tensorflow/tfjs-core';
import { SafeInferError } from '../safe-infer-error.ts';

/** Bytes of a 32-bit address space. */
const WASM_BYTES = 2 ** 32;

interface WasmHeap {
  _malloc(bytes: number): number;
  _free(address: number): void;
}

const guarded = new WeakSet<object>();

/** Checks every allocation of a started wasm backend. Idempotent. Throws ALLOCATION_LIMIT from then on. */
export function guardHeap(backend: tf.KernelBackend): void {
  const { wasm } = backend as unknown as { readonly wasm: WasmHeap };
  if (guarded.has(wasm)) return;
  guarded.add(wasm);
  // Emscripten's stub replaces itself at its first call: that must not undo the guard.
  wasm._free(wasm._malloc(1));
  const allocate = wasm._malloc.bind(wasm);
  wasm._malloc = (bytes) => {
    const address = bytes < WASM_BYTES ? allocate(bytes) : 0;
    if (address !== 0 || bytes === 0) return address;
    throw new SafeInferError(
      `${bytes} bytes do not fit into what is left of the ${WASM_BYTES} bytes of WebAssembly`,
      {
        code: 'ALLOCATION_LIMIT',
        hint: 'dispose tensors, use a smaller model, or use a native backend: npm install @safeinfer/backend-ort',
      },
    );
  };
}
