// Backends that a test can loop over on this machine.
import type { BackendName } from '../backend-name.ts';
import { SafeInferError } from '../safe-infer-error.ts';
import { useBackend } from '../use-backend.ts';

/** Backends that tests run on when they start here; GPUs are left out: their results are read asynchronously. */
const TESTED: readonly BackendName[] = ['cpu', 'wasm', 'ort', 'tfjs-node'];

/**
 * Names of the tested backends that start here, `cpu` first. `SAFEINFER_TEST_BACKENDS` (comma
 * separated) narrows the list; a backend named there that does not start is an error, not a skip.
 */
export async function availableBackends(): Promise<BackendName[]> {
  const wanted = process.env['SAFEINFER_TEST_BACKENDS']?.split(',').map((name) => name.trim());
  const available: BackendName[] = [];
  for (const name of (wanted as BackendName[] | undefined) ?? TESTED) {
    try {
      await useBackend({ name });
      available.push(name);
    } catch (error) {
      const absent = SafeInferError.isInstance(error) && error.code === 'BACKEND_UNAVAILABLE';
      if (!absent || wanted !== undefined) throw error;
    }
  }
  return available;
}
