// A vitest suite repeated on every backend that starts here.
import { beforeAll, describe } from 'vitest';
import type { BackendName } from '../backend-name.ts';
import { useBackend } from '../use-backend.ts';
import { availableBackends } from './available-backends.ts';

/**
 * Defines `suite` once for each available backend, with that backend active while its tests run.
 * Await it at the top level of a test file: `await describeOnBackends('rope', (backend) => { ... })`.
 */
export async function describeOnBackends(
  title: string,
  suite: (backend: BackendName) => void,
): Promise<void> {
  for (const name of await availableBackends()) {
    describe(`${title} on ${name}`, () => {
      beforeAll(async () => {
        await useBackend({ name });
      });
      suite(name);
    });
  }
}
