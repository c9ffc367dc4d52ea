// ONNX Runtime kernels, through the optional package @safeinfer/backend-ort.

import { typeAllocationErrors } from '../kernels/typed-allocation-errors.ts';
import { SafeInferError } from '../safe-infer-error.ts';
import { BackendRefusal, type Candidate, type Started, type StartOptions } from './candidate.ts';
import { importOptional } from './import-optional.ts';

/** What backend-ort exports for us; it depends on this package, so its types cannot be imported. */
interface OrtModule {
  readonly registerOrtBackend: (options: StartOptions) => Promise<Started>;
}

/** Inherited kernels whose results may be of any size; ort's own name the limit themselves. */
const SHAPED_BY_ARGUMENTS = ['Fill', 'OneHot', 'ScatterNd', 'SparseToDense', 'UnsortedSegmentSum'];

export const ort: Candidate = {
  async start(options): Promise<Started> {
    const install = 'npm install @safeinfer/backend-ort';
    const module = (await importOptional('@safeinfer/backend-ort', install)) as Partial<OrtModule>;
    if (typeof module.registerOrtBackend !== 'function') {
      throw new BackendRefusal('the installed @safeinfer/backend-ort is another version', install);
    }
    try {
      const started = await module.registerOrtBackend(options);
      typeAllocationErrors('ort', SHAPED_BY_ARGUMENTS);
      return started;
    } catch (error) {
      if (SafeInferError.isInstance(error)) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      throw new BackendRefusal(`onnxruntime-node does not start: ${reason}`, install, error);
    }
  },
};
