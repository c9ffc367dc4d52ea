// Asynchronous reads on WebGPU: of tensors freed meanwhile, and after the GPU refused what they are made of.
import type * as tf from '@tensorflow/tfjs-core';
import { SafeInferError } from '../safe-infer-error.ts';
import type { WebgpuBackend } from './webgpu-host-values.ts';

interface DeviceBackend extends WebgpuBackend {
  readonly device: {
    pushErrorScope(filter: 'validation' | 'out-of-memory'): void;
    popErrorScope(): Promise<{ readonly message: string } | null>;
  };
}

const repaired = new WeakSet<object>();

/**
 * Makes `data()` of a tensor that is disposed before the values arrive give them (tfjs 4.22 rejects without a
 * handler), and makes the first read after an error of the GPU reject: tfjs would return zeros. Idempotent.
 */
export function repairReads(kernelBackend: tf.KernelBackend): void {
  if (repaired.has(kernelBackend)) return;
  repaired.add(kernelBackend);
  const backend = kernelBackend as DeviceBackend;
  const { device } = backend;
  openScopes(device);
  const readers = new Map<object, number>();
  const freed = new Set<object>();
  const [read, dispose] = [backend.read.bind(backend), backend.disposeData.bind(backend)];
  backend.disposeData = (dataId, force) => {
    const last = readers.has(dataId) && (force === true || backend.refCount(dataId) === 1);
    if (!last) return dispose(dataId, force);
    freed.add(dataId);
    return true;
  };
  backend.read = async (dataId) => {
    readers.set(dataId, 1 + (readers.get(dataId) ?? 0));
    try {
      // Submits all that was asked for so far, before its first await.
      const reading = read(dataId);
      const failure = closeScopes(device);
      openScopes(device);
      const values = await reading;
      const refusal = await failure;
      if (refusal !== undefined) throw refusal;
      return values;
    } finally {
      const others = readers.get(dataId)! - 1;
      if (others > 0) readers.set(dataId, others);
      else {
        readers.delete(dataId);
        if (freed.delete(dataId)) dispose(dataId, true);
      }
    }
  };
}

type Device = DeviceBackend['device'];

function openScopes(device: Device): void {
  device.pushErrorScope('validation');
  device.pushErrorScope('out-of-memory');
}

/** What the GPU refused since the scopes were opened. */
async function closeScopes(device: Device): Promise<SafeInferError | undefined> {
  const [memory, validation] = await Promise.all([device.popErrorScope(), device.popErrorScope()]);
  const error = memory ?? validation;
  if (error === null) return undefined;
  return new SafeInferError(
    `the GPU refused an operation: ${error.message.trim().split('\n')[0]}`,
    {
      code: memory === null ? 'UNSUPPORTED' : 'ALLOCATION_LIMIT',
      hint:
        'what was computed since the last read is not valid: ' +
        (memory === null
          ? 'use a native CPU backend and report this'
          : 'work on fewer rows or tokens at a time'),
    },
  );
}
