// The backend that a command was asked for, or the best that works here.
import { type BackendName, useBackend } from '@safeinfer/backend';

/** @throws what `useBackend` throws: why a named backend cannot start, and the remedy. */
export function chooseBackend(options: {
  readonly backend?: string | undefined;
  readonly threads?: number | undefined;
}): ReturnType<typeof useBackend> {
  const { backend, threads } = options;
  return useBackend({
    ...(backend === undefined ? {} : { name: backend as BackendName }),
    ...(threads === undefined ? {} : { threads }),
  });
}
