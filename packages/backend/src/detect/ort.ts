// ONNX Runtime kernels, through the optional package @safeinfer/backend-ort.

import { SafeInferError } from '../safe-infer-error.ts';
import { BackendRefusal, type Candidate, type Started, type StartOptions } from './candidate.ts';
import { importOptional } from './import-optional.ts';

/** What backend-ort exports for us; it depends on this package, so its types cannot be imported. */
interface OrtModule {
  readonly registerOrtBackend: (options: StartOptions) => Promise<Started>;
}

export const ort: Candidate = {
  async start(options): Promise<Started> {
    const install = 'npm install @safeinfer/backend-ort';
    const module = (await importOptional('@safeinfer/backend-ort', install)) as Partial<OrtModule>;
    if (typeof module.registerOrtBackend !== 'function') {
      throw new BackendRefusal('the installed @safeinfer/backend-ort is another version', install);
    }
    try {
      return await module.registerOrtBackend(options);
    } catch (error) {
      if (SafeInferError.isInstance(error)) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      throw new BackendRefusal(`onnxruntime-node does not start: ${reason}`, install, error);
    }
  },
};
