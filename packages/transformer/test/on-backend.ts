// Starts a backend, with gradients, for a test file.
import { type BackendName, useBackend } from '@safeinfer/backend';
import { beforeAll } from 'vitest';

/** Call at the top of a test file. */
export function onBackend(name: BackendName): void {
  beforeAll(async () => {
    await useBackend({ name });
  });
}
