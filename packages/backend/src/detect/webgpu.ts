// Any vendor's GPU through Dawn; refused until a real adapter is found.
import type { Candidate, Started } from './candidate.ts';
import { importOptional } from './import-optional.ts';

export const webgpu: Candidate = {
  async start(): Promise<Started> {
    const install = 'npm install webgpu @tensorflow/tfjs-backend-webgpu';
    await importOptional('webgpu', install);
    await importOptional('@tensorflow/tfjs-backend-webgpu', install);
    return { versions: {}, threads: 1 };
  },
};
