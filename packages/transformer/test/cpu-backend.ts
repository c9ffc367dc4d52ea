// Starts the plain cpu backend with gradients for a test file.
import { useBackend } from '@safeinfer/backend';
import { beforeAll } from 'vitest';

/** Call at the top of a test file. */
export function onCpuBackend(): void {
  beforeAll(async () => {
    await useBackend({ name: 'cpu' });
  });
}
