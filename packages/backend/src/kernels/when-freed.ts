// Something that a backend keeps beside a tensor's data, and frees with it.
import type * as tf from '@tensorflow/tfjs-core';

const keepers = new WeakMap<object, Map<object, () => void>>();

/** Calls `free` once, when the last tensor over `dataId` is disposed. One keeper for each data id. */
export function whenFreed(backend: tf.KernelBackend, dataId: object, free: () => void): void {
  let kept = keepers.get(backend);
  if (kept === undefined) {
    kept = new Map();
    keepers.set(backend, kept);
    watch(backend, kept);
  }
  kept.set(dataId, free);
}

function watch(backend: tf.KernelBackend, kept: Map<object, () => void>): void {
  const dispose = backend.disposeData.bind(backend);
  Object.assign(backend, {
    disposeData(dataId: object, force?: boolean): boolean {
      const gone = dispose(dataId, force);
      const free = gone ? kept.get(dataId) : undefined;
      if (free !== undefined) {
        kept.delete(dataId);
        free();
      }
      return gone;
    },
  });
}
