// The pure JavaScript backend: always there, the reference for values, slow.
import * as tf from '@tensorflow/tfjs-core';
import { repairCpuKernels } from '../kernels/cpu-kernels.ts';
import { typeAllocationErrors } from '../kernels/typed-allocation-errors.ts';
import type { Candidate, Started } from './candidate.ts';

export const cpu: Candidate = {
  async start(): Promise<Started> {
    const { version_cpu } = await import('@tensorflow/tfjs-backend-cpu');
    silenceNodeAdvice(tf.findBackend('cpu'));
    repairCpuKernels();
    typeAllocationErrors('cpu');
    return { versions: { '@tensorflow/tfjs-backend-cpu': version_cpu }, threads: 1 };
  },
};

/** tfjs-cpu prints an advertisement for tfjs-node on its first write; the report says it better. */
function silenceNodeAdvice(backend: object | null): void {
  if (backend !== null && 'firstUse' in backend) backend.firstUse = false;
}
